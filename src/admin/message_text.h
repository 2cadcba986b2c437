// Record batches as the JSON of the page. Pure: runs on the CPU lane.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "tidegate/base/ids.h"
#include "tidegate/base/shared_buffer.h"

namespace tidegate::admin {

inline constexpr std::size_t kInflatedBytes = 16U << 20;  // of one batch; a larger one ends the page
inline constexpr std::size_t kAnswerBytes = 4U << 20;     // of all messages as JSON
inline constexpr std::size_t kShownBytes = 16U << 10;     // of a key or value
inline constexpr std::size_t kShownHeaders = 50;

struct MessageLimits {
  Offset from = 0;
  std::size_t records = 50;
  std::string filter;  // in key, value, or a header's name or value; empty: all
};

struct MessagePage {
  std::string messages;  // JSON objects with commas between
  Offset next = 0;       // where to go on
  std::size_t scanned = 0;
  std::string problem;  // why it ended early; empty: it did not
};

MessagePage read_messages(std::span<const SharedBuffer> chunks, const MessageLimits& limits);

}  // namespace tidegate::admin
