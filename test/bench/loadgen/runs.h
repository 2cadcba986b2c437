// The kinds of load. Each run prints nothing; it returns what it measured, and main.cc prints one
// JSON line of it. Times are wall clock; the server's CPU is taken by the driver (test/bench/run).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace loadgen {

struct Options {
  std::string kind;
  std::string broker = "127.0.0.1:9092";
  std::string topic = "bench";
  int partitions = 1;
  int records_per_batch = 64;
  int64_t value_bytes = 1024;
  int64_t total_bytes = 256 << 20;  // produce: 0 counts requests instead
  int64_t requests = 1000;
  int in_flight = 5;
  int connections = 1;
  int acks = -1;
  int rate = 1000;                 // e2e: messages a second; paced: requests
  double seconds = 5;              // time limit of timed runs
  int64_t tail_bytes = 0;          // fetch: read only the newest bytes, over and over
  int64_t answer_bytes = 1 << 20;  // fetch, seek: of one answer, at most
  int fetch_version = 11;
  int groups = 1000;
  int members = 500;
  int64_t pid = 0;      // of the server: groups' phases then have their own CPU time
  bool stages = false;  // groups: a line on stdout after each stage, and wait for one on stdin
};

using Measured = std::map<std::string, double>;

Measured run_produce(const Options& o);  // pipelined batches: bytes, requests, seconds
Measured run_fetch(const Options& o);    // one reader until total_bytes
Measured run_seek(const Options& o);     // `requests` fetches at offsets drawn at random: microseconds
Measured run_paced(const Options& o);    // batches at `rate` whatever the server does: from when each was due
Measured run_latency(const Options& o);  // one request in flight: microseconds p50, p99, p99.9
Measured run_e2e(const Options& o);      // produce at a rate, long poll on another connection
Measured run_metadata(const Options& o);  // small requests, pipelined in_flight deep
Measured run_create(const Options& o);    // `requests` topics named TOPIC-N, then lists them all
Measured run_idle(const Options& o);      // holds `connections` until stdin ends
Measured run_commits(const Options& o);   // `requests` commits of `groups` groups without members
Measured run_group(const Options& o);     // one group of `members`: forms, rebalances, sends heartbeats
Measured run_groups(const Options& o);    // `groups` groups of one member: form, send heartbeats

// p50, p99 and p99.9 of the samples, added under prefix_p50_us and so on.
void add_percentiles(Measured& to, const std::string& prefix, std::vector<double> samples_us);

}  // namespace loadgen
