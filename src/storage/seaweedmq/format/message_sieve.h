// Tells the messages of gateways from others' in a partition that both publish to, in the order of its files.
// A gateway's are known by their envelopes and by the CRCs that those have of the messages behind; what is
// left of a batch whose stream broke is passed over, too, as long as it can still come. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "record_messages.h"

namespace tidegate::storage::seaweedmq {

// Of one chunk: which of its messages are others'.
struct SiftedChunk {
  std::size_t count = 0;
  std::uint64_t bytes = 0;       // keys and values of those
  std::int64_t first_ts_ns = 0;  // of the first of those, and the last
  std::int64_t last_ts_ns = 0;
  bool all = true;                // every message; `others` is empty then
  std::vector<bool> others = {};  // by the message's place in the chunk
  bool has(std::size_t place) const { return all || (place < others.size() && others[place]); }
};

class MessageSieve {
 public:
  // Chunks come in the order of the files. Frames behind a damaged one are not there.
  SiftedChunk sift(const SharedBuffer& chunk);

 private:
  // So many CRCs are remembered at most.
  static constexpr std::size_t kMostStrays = 500'000;
  bool is_stray(const LogEntry& entry);
  void note(const RecordMessageReader::Taken& taken, std::int64_t ts_ns);

  RecordMessageReader reader_{RecordMessageReader::Purpose::sift};
  SharedBuffer begun_in_;                                    // the chunk in which the reader's batch begins
  std::unordered_map<std::uint32_t, std::uint32_t> strays_;  // by CRC: how many
  std::int64_t strays_until_ns_ = 0;
};

}  // namespace tidegate::storage::seaweedmq
