// The loads of runs.h.
#include "runs.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <deque>
#include <exception>
#include <random>
#include <thread>

#include "connection.h"

namespace loadgen {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}
double microseconds(Clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

std::vector<int32_t> all_partitions(int count) {
  std::vector<int32_t> partitions;
  for (int p = 0; p < count; ++p) partitions.push_back(p);
  return partitions;
}

// A server whose queue is full is asked again after so long, as clients do.
constexpr auto kRetryPause = std::chrono::milliseconds(20);

// Sends `frame` until it was taken `count` times, keeping up to `depth` without an answer; `check` sees each
// answer and says whether it was taken.
template <class Check>
std::vector<double> pipeline(Connection& connection, std::string frame, int64_t count, int depth,
                             Check check) {
  std::deque<Clock::time_point> sent_at;
  std::vector<double> latencies;
  latencies.reserve(static_cast<size_t>(count));
  int64_t sent = 0, answered = 0;
  while (answered < count) {
    while (sent < count && sent - answered < depth) {
      set_correlation(frame, static_cast<int32_t>(sent));
      sent_at.push_back(Clock::now());
      connection.send(frame);
      ++sent;
    }
    if (check(connection.receive())) {
      latencies.push_back(microseconds(Clock::now() - sent_at.front()));
      ++answered;
    } else {
      std::this_thread::sleep_for(kRetryPause);
      --sent;
    }
    sent_at.pop_front();
  }
  return latencies;
}

void must_be_taken(Reader body) {
  if (!check_produce(body, 1)) throw Error("produce: refused for now");
}

// Runs `body(n)` on `threads` threads; the first exception is thrown here.
template <class Body>
void on_threads(int threads, Body body) {
  std::vector<std::exception_ptr> problems(static_cast<size_t>(threads));
  {
    std::vector<std::jthread> running;
    for (int n = 0; n < threads; ++n) {
      running.emplace_back([n, &body, &problems] {
        try {
          body(n);
        } catch (...) {
          problems[static_cast<size_t>(n)] = std::current_exception();
        }
      });
    }
  }
  for (const auto& problem : problems) {
    if (problem) std::rethrow_exception(problem);
  }
}

Fetched fetch_at(Connection& connection, const Options& o, int64_t offset) {
  const FetchAsk ask{.topic = o.topic,
                     .offset = offset,
                     .partition_max_bytes = static_cast<int32_t>(o.answer_bytes),
                     .version = static_cast<int16_t>(o.fetch_version)};
  return parse_fetch(connection.call(fetch_request(ask)), ask.version);
}

int64_t end_offset(Connection& connection, const Options& o, int32_t partition) {
  return parse_end_offset(connection.call(end_offset_request(o.topic, partition)));
}

}  // namespace

void add_percentiles(Measured& to, const std::string& prefix, std::vector<double> samples_us) {
  if (samples_us.empty()) return;
  std::sort(samples_us.begin(), samples_us.end());
  const auto at = [&](double q) {
    const double rank = std::ceil(q * static_cast<double>(samples_us.size())) - 1;
    return samples_us[static_cast<size_t>(std::max(rank, 0.0))];
  };
  to[prefix + "_p50_us"] = at(0.5);
  to[prefix + "_p99_us"] = at(0.99);
  to[prefix + "_p999_us"] = at(0.999);
  to[prefix + "_max_us"] = samples_us.back();
}

Measured run_produce(const Options& o) {
  const std::string batch = record_batch(o.records_per_batch, static_cast<size_t>(o.value_bytes));
  const auto partitions = all_partitions(o.partitions);
  const std::string request = produce_request(o.topic, partitions, batch, static_cast<int16_t>(o.acks));
  const auto per_request = static_cast<int64_t>(batch.size() * partitions.size());
  const int64_t wanted = o.total_bytes > 0 ? o.total_bytes / per_request : o.requests;
  const int64_t each = std::max<int64_t>(1, wanted / o.connections);
  std::vector<std::vector<double>> latencies(static_cast<size_t>(o.connections));
  const auto begin = Clock::now();
  on_threads(o.connections, [&](int n) {
    Connection connection(o.broker);
    latencies[static_cast<size_t>(n)] = pipeline(connection, request, each, o.in_flight, [&](Reader body) {
      return check_produce(body, partitions.size());
    });
  });
  Measured got;
  got["seconds"] = seconds_since(begin);
  got["requests"] = static_cast<double>(each * o.connections);
  got["bytes"] = got["requests"] * static_cast<double>(per_request);
  got["records"] = got["requests"] * o.records_per_batch * o.partitions;
  std::vector<double> together;
  for (auto& one : latencies) together.insert(together.end(), one.begin(), one.end());
  add_percentiles(got, "ack", std::move(together));
  return got;
}

Measured run_fetch(const Options& o) {
  std::atomic<int64_t> bytes = 0, records = 0, requests = 0;
  const auto begin = Clock::now();
  on_threads(o.connections, [&](int) {
    Connection connection(o.broker);
    const int64_t end = end_offset(connection, o, 0);
    const int64_t start = o.tail_bytes > 0 ? std::max<int64_t>(0, end - o.tail_bytes / o.value_bytes) : 0;
    if (end <= start) throw Error("the topic is empty");
    int64_t offset = start, mine = 0;
    while (mine < o.total_bytes / o.connections) {
      if (offset >= end) offset = start;
      const Fetched got = fetch_at(connection, o, offset);
      if (got.next_offset < 0) throw Error("nothing at offset " + std::to_string(offset));
      offset = got.next_offset;
      mine += static_cast<int64_t>(got.bytes);
      records += got.records;
      ++requests;
    }
    bytes += mine;
  });
  return {{"seconds", seconds_since(begin)},
          {"bytes", static_cast<double>(bytes)},
          {"records", static_cast<double>(records)},
          {"requests", static_cast<double>(requests)}};
}

Measured run_seek(const Options& o) {
  Connection connection(o.broker);
  const int64_t end = end_offset(connection, o, 0);
  if (end <= 0) throw Error("the topic is empty");
  std::mt19937_64 random{static_cast<uint64_t>(end)};
  std::uniform_int_distribution<int64_t> any(0, end - 1);
  std::vector<double> latencies;
  double bytes = 0;
  const auto begin = Clock::now();
  for (int64_t n = 0; n < o.requests; ++n) {
    const int64_t offset = any(random);
    const auto asked = Clock::now();
    const Fetched got = fetch_at(connection, o, offset);
    latencies.push_back(microseconds(Clock::now() - asked));
    if (got.next_offset <= offset) throw Error("nothing at offset " + std::to_string(offset));
    bytes += static_cast<double>(got.bytes);
  }
  Measured got{{"seconds", seconds_since(begin)}, {"bytes", bytes}};
  got["requests"] = static_cast<double>(o.requests);
  add_percentiles(got, "seek", std::move(latencies));
  return got;
}

// The time of a batch counts from when it was due: one that a slow answer kept from being sent is late, too.
Measured run_paced(const Options& o) {
  const std::string batch = record_batch(o.records_per_batch, static_cast<size_t>(o.value_bytes));
  std::string request = produce_request(o.topic, {0}, batch, static_cast<int16_t>(o.acks));
  const auto count = static_cast<int64_t>(o.rate * o.seconds);
  Connection connection(o.broker);
  std::vector<double> latencies;
  const auto begin = Clock::now();
  const auto due = [&](int64_t n) {
    return begin + std::chrono::nanoseconds(static_cast<int64_t>(1e9 * static_cast<double>(n) / o.rate));
  };
  const auto produce = [&] {
    for (int64_t n = 0; n < count; ++n) {
      std::this_thread::sleep_until(due(n));
      set_correlation(request, static_cast<int32_t>(n));
      connection.send(request);
    }
  };
  const auto read = [&] {
    for (int64_t n = 0; n < count; ++n) {
      must_be_taken(connection.receive());
      latencies.push_back(microseconds(Clock::now() - due(n)));
    }
  };
  on_threads(2, [&](int n) { n == 0 ? produce() : read(); });
  Measured got{{"seconds", seconds_since(begin)}, {"requests", static_cast<double>(count)}};
  got["bytes"] = got["requests"] * static_cast<double>(batch.size());
  add_percentiles(got, "ack", std::move(latencies));
  return got;
}

Measured run_latency(const Options& o) {
  const std::string batch = record_batch(o.records_per_batch, static_cast<size_t>(o.value_bytes));
  std::string request = produce_request(o.topic, {0}, batch, static_cast<int16_t>(o.acks));
  Connection connection(o.broker);
  const auto check = [](Reader body) { return check_produce(body, 1); };
  pipeline(connection, request, std::min<int64_t>(100, o.requests), 1, check);
  Measured got;
  const auto begin = Clock::now();
  add_percentiles(got, "ack", pipeline(connection, request, o.requests, 1, check));
  got["seconds"] = seconds_since(begin);
  got["requests"] = static_cast<double>(o.requests);
  return got;
}

Measured run_e2e(const Options& o) {
  const auto count = static_cast<int64_t>(o.rate * o.seconds);
  std::vector<Clock::time_point> sent(static_cast<size_t>(count));
  std::vector<double> latencies;
  Connection writing(o.broker), reading(o.broker);
  const int64_t first = end_offset(reading, o, 0);
  const std::string batch = record_batch(1, static_cast<size_t>(o.value_bytes));
  std::string request = produce_request(o.topic, {0}, batch, static_cast<int16_t>(o.acks));
  const auto begin = Clock::now();
  const auto produce = [&] {
    for (int64_t n = 0; n < count; ++n) {
      std::this_thread::sleep_until(begin + std::chrono::nanoseconds(1'000'000'000 / o.rate * n));
      sent[static_cast<size_t>(n)] = Clock::now();
      must_be_taken(writing.call(request));
    }
  };
  const auto consume = [&] {
    int64_t offset = first;
    while (offset < first + count) {
      const Fetched got =
          parse_fetch(reading.call(fetch_request({.topic = o.topic, .partition = 0, .offset = offset})));
      const auto now = Clock::now();
      for (; offset < got.next_offset; ++offset) {
        latencies.push_back(microseconds(now - sent[static_cast<size_t>(offset - first)]));
      }
    }
  };
  on_threads(2, [&](int n) { n == 0 ? produce() : consume(); });
  Measured got{{"seconds", seconds_since(begin)}, {"records", static_cast<double>(count)}};
  add_percentiles(got, "e2e", std::move(latencies));
  return got;
}

Measured run_metadata(const Options& o) {
  Connection connection(o.broker);
  Measured got;
  const auto begin = Clock::now();
  pipeline(connection, metadata_request({o.topic}), o.requests, o.in_flight, [](Reader body) {
    if (count_topics(body) != 1) throw Error("metadata without the topic");
    return true;
  });
  got["seconds"] = seconds_since(begin);
  got["requests"] = static_cast<double>(o.requests);
  return got;
}

Measured run_create(const Options& o) {
  constexpr int64_t kPerRequest = 500;
  Connection connection(o.broker);
  const size_t before = count_topics(connection.call(all_topics_request()));
  auto begin = Clock::now();
  for (int64_t n = 0; n < o.requests;) {
    std::vector<std::string> names;
    for (; n < o.requests && names.size() < kPerRequest; ++n) {
      names.push_back(o.topic + "-" + std::to_string(n));
    }
    check_created(connection.call(create_topics_request(names, o.partitions)));
  }
  Measured got{{"create_seconds", seconds_since(begin)}};
  // A controller may answer before its broker knows all of them: list until all are there.
  const auto deadline = Clock::now() + std::chrono::seconds(60);
  size_t listed = 0;
  do {
    begin = Clock::now();
    listed = count_topics(connection.call(all_topics_request()));
    got["list_seconds"] = seconds_since(begin);
  } while (listed < before + static_cast<size_t>(o.requests) && Clock::now() < deadline);
  got["seconds"] = got["create_seconds"];
  got["topics"] = static_cast<double>(listed - before);
  if (listed < before + static_cast<size_t>(o.requests)) throw Error("not all topics are listed");
  return got;
}

Measured run_idle(const Options& o) {
  const auto begin = Clock::now();
  std::vector<Connection> connections;
  for (int n = 0; n < o.connections; ++n) {
    connections.emplace_back(o.broker);
    connections.back().call(api_versions_request());
  }
  std::printf("{\"open\": %d}\n", o.connections);
  std::fflush(stdout);
  char c = 0;
  while (read(STDIN_FILENO, &c, 1) > 0) {
  }
  return {{"seconds", seconds_since(begin)}, {"connections", static_cast<double>(o.connections)}};
}

}  // namespace loadgen
