#include "daemon.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "config_check.h"
#include "config_reload.h"
#include "config_sources.h"
#include "engine_choice.h"
#include "listeners.h"
#include "logging.h"
#include "server_options.h"
#include "service_manager.h"
#include "shard_watch.h"
#include "tidegate/admin/admin_server.h"
#include "tidegate/api/api_table.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/metrics.h"
#include "tidegate/base/rng.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/schema_config.h"
#include "tidegate/broker/schema_overview.h"
#include "tidegate/broker/server_config.h"
#include "tidegate/broker/typed_topics.h"
#include "tidegate/runtime/blocking_pool.h"
#include "tidegate/runtime/event.h"
#include "tidegate/runtime/shard.h"
#include "tidegate/schema/batch_validator.h"
#include "tidegate/server/server.h"
#include "tidegate/storage/standalone_cluster.h"
#include "version.h"

namespace tidegate::app {
namespace {

// Each open partition and connection is a descriptor; the soft limit is often 1,024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) spdlog::warn("the descriptor limit stays at {}", limit.rlim_cur);
}

ShardPoolOptions shard_options(const ConfigValues& config) {
  ShardPoolOptions options;
  const auto wanted = config.integer("num.network.threads");
  options.shards =
      wanted > 0 ? static_cast<unsigned>(wanted) : std::max(1U, std::thread::hardware_concurrency());
  options.stall_warning = std::chrono::milliseconds(config.integer("shard.stall.warning.ms"));
  return options;
}

// What the drain leaves to storage for its last writes, and when the process ends whatever still hangs: with
// the default drain.timeout.ms 4 s after the signal. SIGTERM promises 5 s; the second between is for a
// machine that is short of cores.
constexpr Duration kStorageGrace = std::chrono::milliseconds(400);
constexpr Duration kExitGrace = std::chrono::milliseconds(700);

// A thread of its own, because at a hung disk neither the shards nor the lanes can be joined. Safe at any
// moment, as a second signal is: what was acknowledged is on disk.
void exit_after(Duration limit, int status) {
  std::thread([limit, status] {
    std::this_thread::sleep_for(limit);
    spdlog::warn("event=exit_without_clean_stop reason=\"something did not end in time\" status={}", status);
    finish_logging();
    _exit(status);
  }).detach();
}

class Daemon {
 public:
  Daemon(const CommandLine& line, ConfigValues& config, std::vector<Listener> listeners,
         HostPort admin_address)
      : line_(line),
        config_(config),
        listeners_(std::move(listeners)),
        admin_host_(admin_address.host),
        rng_(system_random_seed()),
        shards_(shard_options(config), clock_, metrics_),
        blocking_({}, metrics_),
        reload_(line, config, blocking_, metrics_,
                [this](ConfigValues::Changes changes) { return take_over(std::move(changes)); }),
        signals_(control_, SIGTERM, SIGINT),
        hangup_(control_, SIGHUP),
        shard_watch_(shards_),
        watchdog_(control_) {
    admin::AdminOptions options;
    options.host = admin_address.host;
    options.port = admin_address.port;
    options.allowed_hosts = config.list("admin.allowed.hosts");
    options.allow_changes = config.boolean("admin.allow.changes");
    admin_ = std::make_unique<admin::AdminServer>(
        options,
        admin::AdminSources{metrics_, [this] { return readiness(); }, std::string(kVersion),
                            [this] { return schemas_overview(); }, [this] { return reload_for_admin(); },
                            [this] { return phase_ == Phase::ready ? broker_.get() : nullptr; },
                            [this] { return clients_for_admin(); }, log_levels, set_log_levels},
        shards_.at(0));
  }

  int run();

 private:
  enum class Phase { starting, ready, draining };

  storage::Health readiness() const;
  // Ends early, as if all were well, once a stop has begun.
  Task<Result<void>> start();
  Task<Result<void>> start_engine();
  Task<Result<void>> start_server();
  storage::Member self() const;
  bool is_stopping() const { return phase_ == Phase::draining; }
  void start_schemas();
  broker::SchemaOverview schemas_overview() const {
    return broker_ ? broker::schema_overview(*broker_) : broker::SchemaOverview{};
  }
  Task<void> start_and_report();
  Task<void> stop();
  void wait_for_signal();
  void wait_for_hangup();
  void watch_shards();
  Task<void> reload_for_signal();
  Task<admin::AdminSources::Reloaded> reload_for_admin();
  Task<std::vector<admin::AdminSources::Client>> clients_for_admin();
  Task<void> take_over(ConfigValues::Changes changes);
  void begin_stop();
  void print_ready() const;
  void warn_of_open_listeners() const;

  const CommandLine& line_;
  ConfigValues& config_;
  std::vector<Listener> listeners_;
  std::string admin_host_;
  SystemClock clock_;
  SeededRng rng_;
  MetricRegistry metrics_;
  ShardPool shards_;
  BlockingPool blocking_;
  // Touched on shard 0 only, as readiness() is.
  Phase phase_ = Phase::starting;
  ConfigReload reload_;
  std::unique_ptr<admin::AdminServer> admin_;
  std::unique_ptr<broker::TypedTopics> typed_;  // nullptr: the engine keeps no columns
  std::unique_ptr<storage::Engine> engine_;
  std::unique_ptr<storage::StandaloneCluster> alone_;
  storage::Cluster* cluster_ = nullptr;
  std::unique_ptr<schema::Registry> registry_;  // nullptr without schema.registry.url
  std::unique_ptr<schema::BatchValidator> schemas_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<server::Server> server_;
  std::function<Task<void>()> stop_waiting_;
  bool waits_for_engine_ = false;  // engine_->start() is under way and may take for ever
  bool admin_started_ = false;
  bool engine_started_ = false;
  bool broker_started_ = false;
  bool server_started_ = false;
  bool start_ended_ = false;
  Event start_end_;

  // The main thread: signals, and the word that all has stopped.
  boost::asio::io_context control_;
  boost::asio::signal_set signals_;
  boost::asio::signal_set hangup_;
  const bool had_terminal_ = isatty(STDIN_FILENO) != 0;
  ServiceManager manager_{[](const char* name) -> const char* { return std::getenv(name); }};
  ShardWatch shard_watch_;
  boost::asio::steady_timer watchdog_;
  bool stopping_ = false;
  int status_ = 0;
};

storage::Health Daemon::readiness() const {
  switch (phase_) {
    case Phase::starting:
      if (waits_for_engine_) return {false, "starting: " + engine_->health().reason};
      return {false, "starting: recovering the log"};
    case Phase::draining:
      return {false, "draining: the daemon is about to stop"};
    case Phase::ready:
      break;
  }
  if (!server_->trouble().empty()) return {false, server_->trouble()};
  return engine_->health();
}

Task<Result<void>> Daemon::start() {
  auto admin_bound = admin_->start();
  if (!admin_bound) co_return fail(std::move(admin_bound.error()));
  admin_started_ = true;

  if (auto engine_up = co_await start_engine(); !engine_up) co_return engine_up;
  if (is_stopping()) co_return Result<void>{};

  if (cluster_ == nullptr) {
    alone_ = std::make_unique<storage::StandaloneCluster>(engine_->cluster_id(), self());
    cluster_ = alone_.get();
  }
  start_schemas();
  broker_ = std::make_unique<broker::Broker>(
      broker::BrokerParts{*engine_, *cluster_, shards_, blocking_, clock_, rng_, metrics_, config_,
                          schemas_.get(), typed_ ? &typed_->values() : nullptr});
  auto broker_up = co_await broker_->start();
  if (!broker_up) co_return fail(std::move(broker_up.error()));
  broker_started_ = true;
  if (is_stopping()) co_return Result<void>{};

  if (!server_started_) co_return co_await start_server();
  server_->serve(broker_.get());
  co_return Result<void>{};
}

// As other gateways and clients are told of it. The endpoints are known once the listeners are bound.
storage::Member Daemon::self() const {
  storage::Member self;
  self.node = broker::server_node_id(config_);
  self.rack = config_.text("broker.rack");
  if (!server_started_) return self;
  for (const server::Endpoint& endpoint : server_->endpoints()) {
    self.endpoints.push_back(
        {.listener = endpoint.name, .host = endpoint.advertised_host, .port = endpoint.advertised_port});
  }
  return self;
}

Task<Result<void>> Daemon::start_engine() {
  auto chosen = make_engine(config_, shards_, blocking_, clock_, rng_, metrics_);
  if (!chosen) co_return fail(std::move(chosen.error()));
  engine_ = std::move(chosen->engine);
  typed_ = broker::TypedTopics::make(*engine_, shards_, blocking_, broker::schema_validation_options(config_),
                                     metrics_);
  if (!chosen->durability.empty()) spdlog::info("storage engine={} {}", engine_->name(), chosen->durability);
  if (chosen->stop_waiting) {
    // Until its storage is there clients are told to try again, instead of finding nobody.
    stop_waiting_ = std::move(chosen->stop_waiting);
    if (auto server_up = co_await start_server(); !server_up) co_return server_up;
    waits_for_engine_ = true;
  }
  if (chosen->introduce) chosen->introduce(self());
  cluster_ = chosen->cluster;
  if (is_stopping()) co_return Result<void>{};
  auto engine_up = co_await engine_->start();
  waits_for_engine_ = false;
  // A start that was called off has not failed.
  if (!engine_up && is_stopping()) co_return Result<void>{};
  if (!engine_up) co_return fail(std::move(engine_up.error()));
  engine_started_ = true;
  co_return Result<void>{};
}

Task<Result<void>> Daemon::start_server() {
  auto options = make_server_options(config_, listeners_);
  options.waits_for_broker = !broker_;
  options.node = broker::server_node_id(config_);
  server_ = std::make_unique<server::Server>(std::move(options), api::api_table(), broker_.get(), shards_,
                                             clock_, metrics_);
  auto server_up = co_await server_->start();
  if (!server_up) co_return fail(std::move(server_up.error()));
  server_started_ = true;
  co_return Result<void>{};
}

// A registry that is not there yet is no reason not to start.
void Daemon::start_schemas() {
  if (broker::has_schema_registry(config_)) {
    auto transport = schema::make_curl_transport(broker::schema_registry_access(config_), blocking_);
    registry_ =
        std::make_unique<schema::Registry>(broker::schema_registry_options(config_), std::move(transport),
                                           shards_.at(0), blocking_, clock_, rng_, metrics_);
    registry_->start();
  }
  schemas_ = std::make_unique<schema::BatchValidator>(registry_.get(), blocking_, metrics_,
                                                      broker::schema_validation_options(config_));
}

Task<void> Daemon::start_and_report() {
  auto started = co_await start();
  start_ended_ = true;
  start_end_.notify_all();
  if (!started) {
    auto message = started.error().message;
    boost::asio::post(control_, [this, message = std::move(message)] {
      spdlog::error("cannot start: {}", message);
      status_ = 1;
      begin_stop();
    });
    co_return;
  }
  if (is_stopping()) co_return;
  phase_ = Phase::ready;
  warn_of_open_listeners();
  for (const auto& endpoint : server_->endpoints()) {
    spdlog::info("serving Kafka clients listener={} address={} advertised={}", endpoint.name,
                 to_text({endpoint.host, endpoint.port}),
                 to_text({endpoint.advertised_host, endpoint.advertised_port}));
  }
  spdlog::info("ready version={} engine={} admin={}", kVersion, engine_->name(), admin_->endpoint());
  manager_.tell("READY=1");
  if (line_.ready_json) print_ready();
}

void Daemon::print_ready() const {
  nlohmann::ordered_json listeners = nlohmann::ordered_json::object();
  std::string first;
  for (const auto& endpoint : server_->endpoints()) {
    // Nobody can connect to a wildcard: then it is the advertised address, which has the real port too.
    const auto address = is_wildcard(endpoint.host)
                             ? to_text({endpoint.advertised_host, endpoint.advertised_port})
                             : to_text({endpoint.host, endpoint.port});
    if (first.empty()) first = address;
    listeners[endpoint.name] = address;
  }
  const nlohmann::ordered_json ready = {
      {"ready", true}, {"kafka", first}, {"listeners", listeners}, {"admin", admin_->endpoint()}};
  // The one line that --ready-json promises; a closed pipe is the reader's affair.
  const auto text = ready.dump() + "\n";
  for (std::size_t at = 0; at < text.size();) {
    const auto written = write(STDOUT_FILENO, text.data() + at, text.size() - at);
    if (written <= 0) break;
    at += static_cast<std::size_t>(written);
  }
}

void Daemon::warn_of_open_listeners() const {
  for (const auto& endpoint : server_->endpoints()) {
    if (is_loopback(endpoint.host)) continue;
    spdlog::warn("listener={} address={} is open to anyone who can reach it: there is no authentication",
                 endpoint.name, to_text({endpoint.host, endpoint.port}));
  }
  if (!is_loopback(admin_host_)) {
    spdlog::warn("admin={} is open to anyone who can reach it: there is no authentication",
                 admin_->endpoint());
  }
}

Task<void> Daemon::stop() {
  phase_ = Phase::draining;
  const MonoTime drained = clock_.now() + std::chrono::milliseconds(config_.integer("drain.timeout.ms"));
  if (waits_for_engine_) co_await stop_waiting_();
  // Nothing is taken down under a start that still builds on it; one that takes too long meets the exit
  // watch.
  while (!start_ended_) co_await start_end_.wait();
  if (server_started_) co_await server_->drain(drained);
  if (registry_) registry_->stop();
  // False: storage hangs, and closing it would too. The exit watch ends the process.
  if (broker_started_ && !co_await broker_->stop(drained + kStorageGrace)) co_return;
  if (engine_started_) co_await engine_->stop();
  if (admin_started_) co_await admin_->stop();
  boost::asio::post(control_, [this] { control_.stop(); });
}

void Daemon::begin_stop() {
  if (stopping_) return;
  stopping_ = true;
  manager_.tell("STOPPING=1");
  exit_after(std::chrono::milliseconds(config_.integer("drain.timeout.ms")) + kExitGrace, status_);
  shards_.at(0).post([this] { shards_.at(0).spawn(stop(), "shutdown"); });
}

void Daemon::wait_for_signal() {
  signals_.async_wait([this](boost::system::error_code error, int signal) {
    if (error) return;
    if (stopping_) {
      // Safe at any moment: what was acknowledged is on disk, and recovery cuts what was not.
      spdlog::warn("second signal: leaving at once");
      finish_logging();
      _exit(status_);
    }
    spdlog::info("stopping reason={}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
    begin_stop();
    wait_for_signal();
  });
}

void Daemon::wait_for_hangup() {
  hangup_.async_wait([this](boost::system::error_code error, int) {
    if (error) return;
    // The terminal that it ran in is gone: nobody asked for a reload.
    if (had_terminal_ && isatty(STDIN_FILENO) == 0) {
      spdlog::info("stopping reason=\"the terminal was closed\"");
      return begin_stop();
    }
    if (!stopping_) shards_.at(0).post([this] { shards_.at(0).spawn(reload_for_signal(), "reload"); });
    wait_for_hangup();
  });
}

// A service manager restarts a process whose shards hang.
void Daemon::watch_shards() {
  if (manager_.watchdog() == Duration::zero()) return;
  if (shard_watch_.all_moved()) manager_.tell("WATCHDOG=1");
  constexpr int kLooksPerLimit = 4;  // a ping takes two of them at least
  watchdog_.expires_after(manager_.watchdog() / kLooksPerLimit);
  watchdog_.async_wait([this](boost::system::error_code error) {
    if (!error) watch_shards();
  });
}

Task<void> Daemon::reload_for_signal() { static_cast<void>(co_await reload_.run("SIGHUP")); }

Task<admin::AdminSources::Reloaded> Daemon::reload_for_admin() {
  const auto outcome = co_await reload_.run("admin");
  admin::AdminSources::Reloaded answer{outcome.has_value(), reload_page(outcome)};
  co_return answer;
}

Task<std::vector<admin::AdminSources::Client>> Daemon::clients_for_admin() {
  constexpr std::size_t kEachShard = 500;
  std::vector<admin::AdminSources::Client> out;
  if (!server_started_ || is_stopping()) co_return out;
  const auto connected = co_await server_->clients(kEachShard);
  for (const auto& client : connected)
    out.push_back({client.address, client.listener, client.software_name, client.software_version});
  co_return out;
}

// Everybody else reads a setting when it is needed.
Task<void> Daemon::take_over(ConfigValues::Changes changes) {
  if (std::ranges::find(changes.reloaded, "log.level") != changes.reloaded.end()) {
    static_cast<void>(set_log_level(config_.text("log.level")));  // the table allows levels only
  }
  // Files are read again although their names are the same: certificates are renewed in place.
  if (registry_ && !is_stopping()) {
    registry_->reconfigure(broker::schema_registry_options(config_),
                           schema::make_curl_transport(broker::schema_registry_access(config_), blocking_));
  }
  if (server_started_ && !is_stopping())
    co_await server_->set_limits(make_server_options(config_, listeners_));
}

int Daemon::run() {
  wait_for_signal();
  wait_for_hangup();
  shards_.start();
  watch_shards();
  shards_.at(0).post([this] { shards_.at(0).spawn(start_and_report(), "start-up"); });
  control_.run();
  shards_.stop();
  return status_;
}

}  // namespace

int run_daemon(const CommandLine& command_line, ConfigValues config) {
  auto sound = check_config(config);
  auto listeners =
      make_listeners(broker::client_listeners(config), broker::client_advertised_listeners(config));
  auto admin_address = parse_host_port(config.text("admin.listen"), "--admin");
  auto logging = set_up_logging(config.text("log.format"), config.text("log.level"));
  const Error* problem = nullptr;
  if (!sound) problem = &sound.error();
  if (!listeners) problem = &listeners.error();
  if (!admin_address) problem = &admin_address.error();
  if (!logging) problem = &logging.error();
  if (problem) {
    finish_logging();
    std::fprintf(stderr, "tidegate: %s\n", problem->message.c_str());
    return 1;
  }
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  for (const auto& line : config_warnings(config, environ)) spdlog::warn("{}", line);
  const int status = Daemon(command_line, config, std::move(*listeners), std::move(*admin_address)).run();
  finish_logging();
  return status;
}

}  // namespace tidegate::app
