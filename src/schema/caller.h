// One question to the registry, with all that may go wrong: base URLs in order, rounds of tries with
// growing random pauses, breakers, the deadline over everything, few requests at once. Home shard only.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "answers.h"
#include "endpoints.h"
#include "tidegate/base/rate_limit.h"
#include "tidegate/base/rng.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/submit.h"
#include "tidegate/schema/registry.h"

namespace tidegate::schema {

// What came of it: good, not_found or refused; everything else is failed.
template <class T>
struct Asked {
  Standing standing = Standing::failed;
  T value{};
  std::string problem;
};

class RegistryCaller {
 public:
  RegistryCaller(const RegistryOptions& options, std::unique_ptr<HttpTransport> transport, Shard& home,
                 BlockingPool& blocking, const Clock& clock, Rng& rng, MetricRegistry& metrics);

  // GETs `path` and reads its body with `parse`. `operation` is a label from a fixed set. A body that
  // cannot be read counts as a failure of that base URL.
  template <class T>
  Task<Asked<T>> ask(std::string_view operation, std::string path, Result<T> (*parse)(const std::string&)) {
    Asked<T> asked;
    auto read = [parse, &asked](const std::string& body) -> std::string {
      auto value = parse(body);
      if (!value) return std::move(value.error().message);
      asked.value = std::move(*value);
      return {};
    };
    Reader reader = std::move(read);
    Told told = co_await ask_all(operation, std::move(path), &reader);
    asked.standing = told.standing;
    asked.problem = std::move(told.problem);
    co_return asked;
  }

  const Endpoints& endpoints() const { return endpoints_; }
  void stop();

 private:
  // Takes a body; a problem when it cannot be read.
  using Reader = std::move_only_function<std::string(const std::string&)>;
  struct Told {
    Standing standing = Standing::failed;
    std::string problem;
  };
  struct Round {
    Told told;
    bool some_failed = false;
    std::optional<Duration> retry_after;
  };

  Task<Told> ask_all(std::string_view operation, std::string path, Reader* read);
  Task<Round> ask_round(std::string_view operation, std::string path, Reader* read, MonoTime deadline);
  Task<std::string> read_body(Reader* read, std::string body);
  // Asks one base URL. `round` gets what it says.
  Task<void> ask_one(std::string_view operation, std::size_t index, std::string path, Reader* read,
                     MonoTime deadline, Round* round);
  // nullopt when the deadline came before its turn.
  Task<std::optional<HttpReply>> get_in_turn(HttpRequest request, MonoTime deadline);
  Duration pause(int round, std::optional<Duration> retry_after);
  void note_success(std::size_t index);
  void note_failure(std::size_t index, const std::string& problem);

  const RegistryOptions options_;
  const std::unique_ptr<HttpTransport> transport_;
  Shard& home_;
  BlockingPool& blocking_;
  const Clock& clock_;
  Rng& rng_;
  MetricRegistry& metrics_;
  Histogram& seconds_;
  Gauge& breakers_open_;
  Endpoints endpoints_;
  LogRateLimit log_limit_;
  std::size_t in_flight_ = 0;
  Event turn_;
  bool stopped_ = false;
};

}  // namespace tidegate::schema
