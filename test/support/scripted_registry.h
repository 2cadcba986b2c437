// A schema registry's HTTP side for unit tests, without a socket: answers by path, in the order in which
// they were scripted (the last one stays), and what was asked. Runs on the shard that asks.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tidegate/runtime/event.h"
#include "tidegate/schema/http.h"

namespace tidegate::test {

inline schema::HttpReply http_ok(std::string body) {
  return {.status = 200, .body = std::move(body), .problem = {}};
}
inline schema::HttpReply http_error(int status, int code, std::string message = "no") {
  return {.status = status,
          .body = "{\"error_code\":" + std::to_string(code) + ",\"message\":\"" + message + "\"}",
          .problem = {}};
}
inline schema::HttpReply http_failure(
    schema::HttpReply::Failure failure = schema::HttpReply::Failure::no_connection) {
  return {.body = {}, .failure = failure, .problem = "no luck"};
}

// Shared between the test and the transport that the registry owns. Thread-safe.
class RegistryScript {
 public:
  // For URLs that end in `path` (or `host` + path); scripted answers are used up but for the last.
  void answer(const std::string& path, schema::HttpReply reply) {
    const std::lock_guard lock(mutex_);
    answers_[path].push_back(std::move(reply));
  }
  void replace(const std::string& path, schema::HttpReply reply) {
    const std::lock_guard lock(mutex_);
    answers_[path] = {std::move(reply)};
  }
  // For every URL without an answer of its own.
  void otherwise(schema::HttpReply reply) {
    const std::lock_guard lock(mutex_);
    otherwise_ = std::move(reply);
  }
  void id_of(std::int32_t id, const std::vector<std::string>& subjects) {
    std::string list;
    for (const auto& subject : subjects) {
      list += (list.empty() ? "" : ",") + ("{\"subject\":\"" + subject + "\",\"version\":1}");
    }
    replace("/schemas/ids/" + std::to_string(id) + "/versions?deleted=true", http_ok("[" + list + "]"));
  }
  struct Reference {
    std::string name;
    std::string subject;
    int version = 1;
  };
  // What GET /schemas/ids/{id} and GET /subjects/{subject}/versions/{version} say of a schema.
  static schema::HttpReply schema_body(const std::string& text, const std::vector<Reference>& references = {},
                                       const std::string& type = {}) {
    std::string body = "{\"schema\":\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') body += '\\';
      body += c == '\n' ? ' ' : c;
    }
    body += "\"";
    if (!type.empty()) body += ",\"schemaType\":\"" + type + "\"";
    std::string list;
    for (const auto& each : references) {
      list += (list.empty() ? "" : ",") + ("{\"name\":\"" + each.name + "\",\"subject\":\"" + each.subject) +
              "\",\"version\":" + std::to_string(each.version) + "}";
    }
    return http_ok(body + ",\"references\":[" + list + "]}");
  }
  void schema_of(std::int32_t id, const std::string& text, const std::vector<Reference>& references = {},
                 const std::string& type = {}) {
    replace("/schemas/ids/" + std::to_string(id), schema_body(text, references, type));
  }
  void version_of(const std::string& subject, int version, const std::string& text,
                  const std::vector<Reference>& references = {}, const std::string& type = {}) {
    replace("/subjects/" + subject + "/versions/" + std::to_string(version) + "?deleted=true",
            schema_body(text, references, type));
  }
  std::vector<schema::HttpRequest> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  std::size_t asked_for(std::string_view part) const {
    std::size_t count = 0;
    for (const auto& request : asked()) count += request.url.find(part) == std::string::npos ? 0 : 1;
    return count;
  }
  schema::HttpReply take(const schema::HttpRequest& request) {
    const std::lock_guard lock(mutex_);
    asked_.push_back(request);
    for (auto& [path, replies] : answers_) {
      if (!request.url.ends_with(path)) continue;
      auto reply = replies.front();
      if (replies.size() > 1) replies.pop_front();
      return reply;
    }
    return otherwise_;
  }

  // While held, requests wait. On the shard that asks.
  bool held = false;
  Event released;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::deque<schema::HttpReply>> answers_;
  schema::HttpReply otherwise_ = http_error(404, 40403);
  std::vector<schema::HttpRequest> asked_;
};

class ScriptedTransport final : public schema::HttpTransport {
 public:
  explicit ScriptedTransport(std::shared_ptr<RegistryScript> script) : script_(std::move(script)) {}
  Task<schema::HttpReply> get(schema::HttpRequest request) override {
    auto script = script_;
    auto reply = script->take(request);
    while (script->held) co_await script->released.wait();
    co_return reply;
  }
  void stop() override {}

 private:
  std::shared_ptr<RegistryScript> script_;
};

}  // namespace tidegate::test
