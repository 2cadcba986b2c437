// The fake SeaweedFS as a program, for tests of the daemon's binary. Prints "masters HOST:PORT.GRPCPORT",
// then obeys lines, each answered by "ok" or "unknown": kill PART, start PART (master, filer, volume; with
// --broker: broker), and put PATH CONTENT, which writes an entry. Ends with its standard input. With --faulty
// there is a proxy in front of each part: the first line also has "rewrite FROM=TO,..." for
// seaweedmq.address.rewrite, and fault PART MODE (pass, refuse, reset, hang, slow, half-open) tells a proxy
// what to do to its connections.
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include "fake/cluster.h"
#include "fake/proxy.h"

namespace tidegate::test {
namespace {

std::optional<Part> part_named(const std::string& name) {
  if (name == "master") return Part::master;
  if (name == "filer") return Part::filer;
  if (name == "volume") return Part::volume;
  if (name == "broker") return Part::broker;
  return std::nullopt;
}

using Proxies = std::map<Part, std::unique_ptr<FaultyProxy>>;

bool misbehave(FaultyProxy& proxy, const std::string& mode) {
  static const std::map<std::string, FaultyProxy::Mode> modes = {{"pass", FaultyProxy::Mode::pass},
                                                                 {"refuse", FaultyProxy::Mode::refuse},
                                                                 {"hang", FaultyProxy::Mode::hang},
                                                                 {"slow", FaultyProxy::Mode::slow},
                                                                 {"half-open", FaultyProxy::Mode::half_open}};
  if (mode == "reset") {
    proxy.reset_all();
    return true;
  }
  const auto found = modes.find(mode);
  if (found == modes.end()) return false;
  proxy.set(found->second);
  return true;
}

bool obey(FakeCluster& cluster, Proxies& proxies, const std::string& line) {
  std::istringstream words(line);
  std::string what;
  std::string subject;
  words >> what >> subject;
  if (what == "put") {
    std::string content;
    std::getline(words >> std::ws, content);
    return cluster.filer().put_content(subject, content);
  }
  const auto part = part_named(subject);
  if (!part) return false;
  if (what == "kill") {
    cluster.kill(*part);
  } else if (what == "start") {
    cluster.start(*part);
  } else if (what == "fault" && proxies.contains(*part)) {
    std::string mode;
    words >> mode;
    return misbehave(*proxies.at(*part), mode);
  } else {
    return false;
  }
  return true;
}

int run(const std::set<std::string>& options) {
  const bool faulty = options.contains("--faulty");
  FakeClusterOptions cluster_options;
  cluster_options.broker = options.contains("--broker");
  FakeCluster cluster(cluster_options);
  Proxies proxies;
  std::string rules;
  for (const auto part : {Part::master, Part::filer, Part::volume, Part::broker}) {
    if (!faulty || (part == Part::broker && !cluster_options.broker)) continue;
    proxies[part] = std::make_unique<FaultyProxy>(cluster.port_of(part));
    rules += (rules.empty() ? "" : ",") + std::string("127.0.0.1:") + std::to_string(cluster.port_of(part)) +
             "=" + proxies[part]->address();
  }
  std::cout << "masters " << cluster.master() << (faulty ? " rewrite " + rules : "") << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << (obey(cluster, proxies, line) ? "ok" : "unknown") << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace tidegate::test

int main(int argc, char** argv) { return tidegate::test::run({argv + 1, argv + argc}); }
