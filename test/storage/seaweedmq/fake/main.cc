// The fake SeaweedFS as a program, for tests of the daemon's binary. Prints "masters HOST:PORT.GRPCPORT", then
// obeys lines, each answered by "ok" or "unknown": kill PART, start PART (master, filer, volume), and
// put PATH CONTENT, which writes an entry. Ends with its standard input.
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

#include "fake/cluster.h"

namespace tidegate::test {
namespace {

std::optional<Part> part_named(const std::string& name) {
  if (name == "master") return Part::master;
  if (name == "filer") return Part::filer;
  if (name == "volume") return Part::volume;
  return std::nullopt;
}

bool obey(FakeCluster& cluster, const std::string& line) {
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
  } else {
    return false;
  }
  return true;
}

int run() {
  FakeCluster cluster;
  std::cout << "masters " << cluster.master() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << (obey(cluster, line) ? "ok" : "unknown") << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace tidegate::test

int main() { return tidegate::test::run(); }
