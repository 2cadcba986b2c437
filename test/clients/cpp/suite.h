// What a C++ client suite needs: a case runner that prints PASS, FAIL and SKIP lines for
// test/clients/run, checks that end a case, the control line to the harness, and the test data.
// Single-threaded: cases run one after the other on the main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace suite {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct Skip : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline constexpr int64_t kBaseMs = 1'600'000'000'000;
inline constexpr int kWaitMs = 30'000;
inline constexpr size_t kLargeBytes = 900 * 1024;
inline constexpr size_t kTooLargeBytes = 2 * 1024 * 1024;

std::string environment(const char* name);

// Ends the case as failed unless `holds`.
void require(bool holds, const std::string& what);

template <class Got, class Want>
void same(const Got& got, const Want& want, const std::string& what) {
  if (got == want) return;
  std::ostringstream text;
  text << what << ": got " << got << ", wanted " << want;
  throw Failure(text.str());
}

// Sends one command to the harness; returns what follows "ok".
std::string control(const std::string& command);
int64_t dropped();

std::string topic_name(const std::string& prefix);
std::string numbered(int32_t partition, int number);
std::string random_bytes(size_t size);

struct Record {
  std::optional<std::string> key, value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  int64_t timestamp_ms = 0;
};
// Every mix of null, empty and full that a record can have.
std::vector<Record> round_trip_records();

using Cases = std::vector<std::pair<std::string, std::function<void()>>>;
// Runs the cases whose name contains $TG_CASE; the exit code.
int run(const Cases& cases);

}  // namespace suite
