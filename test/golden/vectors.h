// Loads test/golden/vectors.jsonl.gz: what Apache Kafka's own client wrote and what it says it means.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "protocol/message_types.h"
#include "tidegate/base/shared_buffer.h"

namespace tidegate::test {

struct GoldenVector {
  const protocol::testkit::MessageType* type = nullptr;
  std::string message;
  std::int16_t version = 0;
  std::int32_t correlation_id = 0;
  std::optional<std::string> client_id;
  bool unknown_tags = false;  // decoded only: we drop what Kafka keeps
  SharedBuffer frame;         // without its length
  nlohmann::json body;
};

// All of them, read once. Throws std::runtime_error when the file is not there or not readable.
const std::vector<GoldenVector>& golden_vectors();
std::string read_golden_text(const std::string& file_name);

}  // namespace tidegate::test
