// The loads of consumer groups: commits of many groups, groups that form, rebalance and beat.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "connection.h"
#include "group_wire.h"
#include "runs.h"

namespace loadgen {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kDeadline = std::chrono::seconds(300);
constexpr auto kHeartbeatInterval = std::chrono::milliseconds(50);
constexpr int kRebalances = 5;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// User and system time of the server, so that a phase of a run has its own.
double server_cpu_seconds(int64_t pid) {
  if (pid <= 0) return 0;
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto behind_name = text.rfind(')');
  if (behind_name == std::string::npos) throw Error("no process " + std::to_string(pid));
  long long user = 0, system = 0;
  if (std::sscanf(text.c_str() + behind_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld",
                  &user, &system) != 2) {
    throw Error("cannot read the CPU time of " + std::to_string(pid));
  }
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// The driver looks at the server's memory here, then answers with a line.
void stage(const Options& o, const char* name) {
  if (!o.stages) return;
  std::printf("{\"stage\": \"%s\"}\n", name);
  std::fflush(stdout);
  char c = 0;
  while (read(STDIN_FILENO, &c, 1) > 0 && c != '\n') {
  }
}

// Kafka makes the topic of its coordinators when the first one is asked for, and loads its partitions then.
void wait_for_coordinators(const Options& o) {
  constexpr int kNames = 400;  // enough to meet each of its fifty partitions
  Connection connection(o.broker);
  const auto deadline = Clock::now() + std::chrono::seconds(60);
  const auto retry = [&](int16_t error) {
    if (Clock::now() > deadline) throw Error("no coordinator: error code " + std::to_string(error));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  };
  for (int n = 0; n < kNames;) {
    const std::string group = "warm-" + std::to_string(n);
    int16_t error = parse_find_coordinator(connection.call(find_coordinator_request(group)));
    if (error == 0) error = parse_heartbeat(connection.call(heartbeat_request(group, 1, "nobody")));
    if (error == kUnknownMember) {
      ++n;
    } else {
      retry(error);
    }
  }
}

struct Member {
  enum class State { named, joining, syncing, stable, beating };
  std::string group;
  std::string id;
  int32_t generation = -1;
  State state = State::named;
  Clock::time_point next_beat;
};

// One group whose members each have a connection, as clients do: a parked answer holds up its own alone.
class BigGroup {
 public:
  BigGroup(const Options& o, std::string group) : group_(std::move(group)) {
    for (int n = 0; n < o.members; ++n) {
      connections_.emplace_back(o.broker);
      connections_.back().call(api_versions_request());
    }
    members_.resize(connections_.size());
  }

  // All ask for an id, then join at once; done when they are all stable in one generation.
  void form() {
    for (auto& connection : connections_) connection.send(join_request(group_, ""));
    for (size_t n = 0; n < members_.size(); ++n) {
      const Joined named = parse_join(connections_[n].receive());
      if (named.error != kMemberIdRequired) throw Error("join: error code " + std::to_string(named.error));
      members_[n].id = named.member_id;
    }
    rebalance();
  }

  void rebalance() {
    for (size_t n = 0; n < members_.size(); ++n) join(n);
    const auto deadline = Clock::now() + kDeadline;
    while (!stable()) {
      if (Clock::now() > deadline) throw Error("the group did not get stable");
      std::vector<pollfd> waiting;
      for (const auto& connection : connections_) waiting.push_back({connection.fd(), POLLIN, 0});
      poll(waiting.data(), waiting.size(), 10);
      for (size_t n = 0; n < members_.size(); ++n) {
        if (waiting[n].revents != 0) answered(n, connections_[n].receive());
      }
      beat();
    }
    // Answers to heartbeats that are still on their way.
    for (size_t n = 0; n < members_.size(); ++n) {
      if (members_[n].state == Member::State::beating) answered(n, connections_[n].receive());
    }
    if (!stable()) throw Error("the group fell apart");
  }

  // Every member in turn, all at once; returns how many.
  int64_t heartbeat_round() {
    for (size_t n = 0; n < members_.size(); ++n) {
      connections_[n].send(heartbeat_request(group_, members_[n].generation, members_[n].id));
    }
    for (auto& connection : connections_) {
      if (const auto error = parse_heartbeat(connection.receive()); error != 0) {
        throw Error("heartbeat: error code " + std::to_string(error));
      }
    }
    return static_cast<int64_t>(members_.size());
  }

 private:
  void join(size_t n) {
    members_[n].state = Member::State::joining;
    connections_[n].send(join_request(group_, members_[n].id));
  }

  void answered(size_t n, Reader body) {
    Member& member = members_[n];
    switch (member.state) {
      case Member::State::joining: {
        const Joined joined = parse_join(body);
        if (joined.error != 0) throw Error("join: error code " + std::to_string(joined.error));
        member.generation = joined.generation;
        if (!joined.members.empty()) led_ = {joined.generation, joined.members.size()};
        member.state = Member::State::syncing;
        connections_[n].send(sync_request(group_, joined.generation, member.id, joined.members));
        return;
      }
      case Member::State::syncing:
        if (settled(n, parse_sync(body))) member.next_beat = Clock::now() + kHeartbeatInterval;
        return;
      case Member::State::beating:
        if (settled(n, parse_heartbeat(body))) member.next_beat = Clock::now() + kHeartbeatInterval;
        return;
      case Member::State::named:
      case Member::State::stable:
        throw Error("an answer to nothing");
    }
  }

  bool settled(size_t n, int16_t error) {
    if (error == kRebalanceInProgress) {
      join(n);
      return false;
    }
    if (error != 0) throw Error("group: error code " + std::to_string(error));
    members_[n].state = Member::State::stable;
    return true;
  }

  void beat() {
    const auto now = Clock::now();
    for (size_t n = 0; n < members_.size(); ++n) {
      Member& member = members_[n];
      if (member.state != Member::State::stable || now < member.next_beat) continue;
      member.state = Member::State::beating;
      connections_[n].send(heartbeat_request(group_, member.generation, member.id));
    }
  }

  bool stable() const {
    if (led_.second != members_.size()) return false;
    return std::all_of(members_.begin(), members_.end(), [&](const Member& member) {
      return member.generation == led_.first &&
             (member.state == Member::State::stable || member.state == Member::State::beating);
    });
  }

  const std::string group_;
  std::vector<Connection> connections_;
  std::vector<Member> members_;
  std::pair<int32_t, size_t> led_{-1, 0};  // newest generation that a leader was told of, its members
};

// Sends one request of each member over few connections, `in_flight` without an answer on each.
template <class Request, class Answer>
void each(const Options& o, std::vector<Connection>& connections, std::vector<Member>& members,
          Request request, Answer answer) {
  std::vector<std::exception_ptr> problems(connections.size());
  std::vector<std::jthread> threads;
  for (size_t c = 0; c < connections.size(); ++c) {
    threads.emplace_back([&, c] {
      try {
        const size_t step = connections.size();
        size_t sent = c;
        for (size_t at = c; at < members.size(); at += step) {
          for (; sent < members.size() && (sent - at) / step < static_cast<size_t>(o.in_flight);
               sent += step) {
            connections[c].send(request(members[sent]));
          }
          answer(members[at], connections[c].receive());
        }
      } catch (...) {
        problems[c] = std::current_exception();
      }
    });
  }
  threads.clear();
  for (const auto& problem : problems) {
    if (problem) std::rethrow_exception(problem);
  }
}

std::vector<Connection> connect_all(const Options& o) {
  std::vector<Connection> connections;
  for (int n = 0; n < o.connections; ++n) {
    connections.emplace_back(o.broker);
    connections.back().call(api_versions_request());
  }
  return connections;
}

}  // namespace

Measured run_group(const Options& o) {
  wait_for_coordinators(o);
  BigGroup group(o, o.topic);
  stage(o, "connected");
  auto begin = Clock::now();
  group.form();
  Measured got{{"form_seconds", seconds_since(begin)}, {"members", static_cast<double>(o.members)}};
  stage(o, "formed");
  std::vector<double> rebalances;
  double cpu = server_cpu_seconds(o.pid);
  for (int n = 0; n < kRebalances; ++n) {
    begin = Clock::now();
    group.rebalance();
    rebalances.push_back(seconds_since(begin));
  }
  got["rebalance_cpu_seconds"] = (server_cpu_seconds(o.pid) - cpu) / kRebalances;
  std::sort(rebalances.begin(), rebalances.end());
  got["rebalance_seconds"] = rebalances[rebalances.size() / 2];
  got["rebalance_max_seconds"] = rebalances.back();
  cpu = server_cpu_seconds(o.pid);
  begin = Clock::now();
  int64_t beats = 0;
  while (beats < o.requests) beats += group.heartbeat_round();
  got["seconds"] = seconds_since(begin);
  got["requests"] = static_cast<double>(beats);
  got["heartbeat_cpu_seconds"] = server_cpu_seconds(o.pid) - cpu;
  return got;
}

Measured run_groups(const Options& o) {
  wait_for_coordinators(o);
  auto connections = connect_all(o);
  std::vector<Member> members(static_cast<size_t>(o.groups));
  for (size_t n = 0; n < members.size(); ++n) members[n].group = o.topic + "-" + std::to_string(n);
  stage(o, "connected");
  auto begin = Clock::now();
  const auto join = [](const Member& member) { return join_request(member.group, member.id); };
  each(o, connections, members, join, [](Member& member, Reader body) {
    const Joined named = parse_join(body);
    if (named.error != kMemberIdRequired) throw Error("join: error code " + std::to_string(named.error));
    member.id = named.member_id;
  });
  each(o, connections, members, join, [](Member& member, Reader body) {
    const Joined joined = parse_join(body);
    if (joined.error != 0) throw Error("join: error code " + std::to_string(joined.error));
    member.generation = joined.generation;
  });
  each(
      o, connections, members,
      [](const Member& member) {
        return sync_request(member.group, member.generation, member.id, {member.id});
      },
      [](Member&, Reader body) {
        if (const auto error = parse_sync(body); error != 0)
          throw Error("sync: error code " + std::to_string(error));
      });
  Measured got{{"form_seconds", seconds_since(begin)}, {"groups", static_cast<double>(o.groups)}};
  stage(o, "formed");
  const double cpu = server_cpu_seconds(o.pid);
  begin = Clock::now();
  int64_t beats = 0;
  for (; beats < o.requests; beats += o.groups) {
    each(
        o, connections, members,
        [](const Member& member) { return heartbeat_request(member.group, member.generation, member.id); },
        [](Member&, Reader body) {
          const auto error = parse_heartbeat(body);
          if (error != 0) throw Error("heartbeat: error code " + std::to_string(error));
        });
  }
  got["seconds"] = seconds_since(begin);
  got["requests"] = static_cast<double>(beats);
  got["heartbeat_cpu_seconds"] = server_cpu_seconds(o.pid) - cpu;
  return got;
}

Measured run_commits(const Options& o) {
  wait_for_coordinators(o);
  auto connections = connect_all(o);
  std::vector<Member> members(static_cast<size_t>(o.groups));
  for (size_t n = 0; n < members.size(); ++n) members[n].group = o.topic + "-group-" + std::to_string(n);
  int64_t offset = 0;
  const auto commit = [&](const Member& member) { return commit_request(member.group, o.topic, 0, offset); };
  const auto check = [](Member&, Reader body) { check_commit(body); };
  stage(o, "connected");
  // The first commit of a group makes it; what follows is what consumers do all day.
  each(o, connections, members, commit, check);
  stage(o, "formed");
  const double cpu = server_cpu_seconds(o.pid);
  const auto begin = Clock::now();
  int64_t done = 0;
  for (; done < o.requests; done += o.groups) {
    ++offset;
    each(o, connections, members, commit, check);
  }
  return {{"seconds", seconds_since(begin)},
          {"requests", static_cast<double>(done)},
          {"commit_cpu_seconds", server_cpu_seconds(o.pid) - cpu}};
}

}  // namespace loadgen
