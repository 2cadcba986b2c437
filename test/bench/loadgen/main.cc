// tidegate_loadgen KIND [--option value]...: one run of load against a Kafka-protocol server, then
// one JSON line on stdout with what was measured. The driver is test/bench/run.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <map>
#include <string>

#include "runs.h"
#include "wire.h"

namespace {

using loadgen::Options;

Options parse(int argc, char** argv) {
  Options o;
  if (argc < 2) throw loadgen::Error("usage: tidegate_loadgen KIND [--option value]...");
  o.kind = argv[1];
  const std::map<std::string, std::function<void(const std::string&)>> options{
      {"--broker", [&](const auto& v) { o.broker = v; }},
      {"--topic", [&](const auto& v) { o.topic = v; }},
      {"--partitions", [&](const auto& v) { o.partitions = std::stoi(v); }},
      {"--records-per-batch", [&](const auto& v) { o.records_per_batch = std::stoi(v); }},
      {"--value-bytes", [&](const auto& v) { o.value_bytes = std::stoll(v); }},
      {"--total-bytes", [&](const auto& v) { o.total_bytes = std::stoll(v); }},
      {"--requests", [&](const auto& v) { o.requests = std::stoll(v); }},
      {"--in-flight", [&](const auto& v) { o.in_flight = std::stoi(v); }},
      {"--connections", [&](const auto& v) { o.connections = std::stoi(v); }},
      {"--acks", [&](const auto& v) { o.acks = std::stoi(v); }},
      {"--rate", [&](const auto& v) { o.rate = std::stoi(v); }},
      {"--seconds", [&](const auto& v) { o.seconds = std::stod(v); }},
      {"--groups", [&](const auto& v) { o.groups = std::stoi(v); }},
      {"--members", [&](const auto& v) { o.members = std::stoi(v); }},
      {"--pid", [&](const auto& v) { o.pid = std::stoll(v); }},
      {"--stages", [&](const auto& v) { o.stages = v == "1"; }},
      {"--answer-bytes", [&](const auto& v) { o.answer_bytes = std::stoll(v); }},
      {"--fetch-version", [&](const auto& v) { o.fetch_version = std::stoi(v); }},
      {"--tail-bytes", [&](const auto& v) { o.tail_bytes = std::stoll(v); }},
  };
  for (int n = 2; n < argc; n += 2) {
    const auto option = options.find(argv[n]);
    if (option == options.end() || n + 1 >= argc) {
      throw loadgen::Error(std::string("bad option ") + argv[n]);
    }
    option->second(argv[n + 1]);
  }
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options o = parse(argc, argv);
    const std::map<std::string, loadgen::Measured (*)(const Options&)> kinds{
        {"produce", loadgen::run_produce},   {"fetch", loadgen::run_fetch},
        {"latency", loadgen::run_latency},   {"e2e", loadgen::run_e2e},
        {"metadata", loadgen::run_metadata}, {"create", loadgen::run_create},
        {"idle", loadgen::run_idle},         {"commits", loadgen::run_commits},
        {"group", loadgen::run_group},       {"groups", loadgen::run_groups},
        {"seek", loadgen::run_seek},         {"paced", loadgen::run_paced},
    };
    const auto kind = kinds.find(o.kind);
    if (kind == kinds.end()) throw loadgen::Error("no such kind: " + o.kind);
    const auto measured = kind->second(o);
    const char* separator = "{";
    for (const auto& [name, value] : measured) {
      std::printf("%s\"%s\": %.9g", separator, name.c_str(), value);
      separator = ", ";
    }
    std::printf("}\n");
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tidegate_loadgen: %s\n", error.what());
    return 1;
  }
}
