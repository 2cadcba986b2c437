#include "rpc/client.h"

#include <algorithm>
#include <utility>

#include "tidegate/base/assert.h"
#include "tidegate/runtime/submit.h"

namespace tidegate::storage::seaweedmq {

Result<std::unique_ptr<Client>> Client::make(ShardPool& pool, const ClientOptions& options,
                                             MetricRegistry& metrics, std::uint64_t seed) {
  if (options.masters.empty()) {
    return fail(ErrorCode::invalid_config, "seaweedmq.masters names no master of SeaweedFS");
  }
  auto connector = Connector::make(options);
  if (!connector) return fail(std::move(connector.error()));
  init_http();
  return std::unique_ptr<Client>(new Client(pool, options, std::move(*connector), metrics, seed));
}

Client::Client(ShardPool& pool, const ClientOptions& options, std::shared_ptr<Connector> connector,
               MetricRegistry& metrics, std::uint64_t seed)
    : pool_(pool),
      options_(options),
      connector_(std::move(connector)),
      clock_(pool.at(0).clock()),
      metrics_(metrics),
      seeds_(seed),
      filers_([this](const ServerAddress& address) {
        return std::make_shared<Endpoint>(address.grpc(), connector_, clock_, seeds_.next(), metrics_,
                                          EndpointKind::filer);
      }),
      filer_(filers_, calls_, metrics_, clock_, options.call_timeout, seeds_.next()),
      brokers_(
          [this](const std::string& address) {
            return std::make_shared<Endpoint>(address, connector_, clock_, seeds_.next(), metrics_,
                                              EndpointKind::broker);
          },
          calls_, metrics_, clock_, options.call_timeout),
      stores_(
          pool.at(0), [this](std::string filer) { return filer_.signature_of(std::move(filer)); }, metrics),
      watch_(pool.at(0), options.volume_probe_interval, [this] { return probe_volumes(); }) {
  auto on_change = [this](const ClusterView& view) { changed(view); };
  master_ = std::make_unique<MasterClient>(pool.at(0), options_, connector_, calls_, metrics_, seeds_.next(),
                                           std::move(on_change));
  volumes_.resize(pool.size());
}

Client::~Client() = default;

Task<void> Client::start() {
  for (unsigned i = 0; i < pool_.size(); ++i) {
    const std::uint64_t seed = seeds_.next();
    auto make = [this, i, seed] {
      volumes_[i] = std::make_unique<VolumeClient>(pool_.at(i), options_, filer_, metrics_, seed);
    };
    co_await submit_to(pool_.at(i), std::move(make));
  }
  master_->start();
  watch_.start();
}

Task<void> Client::stop() {
  co_await master_->stop();
  calls_.close();
  // Its probe fails now; on shard 0, as this is.
  if (volumes_[0]) volumes_[0]->close();
  co_await watch_.stop();
  co_await stores_.stop();
  for (unsigned i = 0; i < pool_.size(); ++i) {
    // Closed, not destroyed: a caller that was just told of its failure may still be in a method of it.
    auto close = [this, i] {
      if (volumes_[i]) volumes_[i]->close();
    };
    co_await submit_to(pool_.at(i), std::move(close));
  }
}

// Without a filer nothing is to be known of volume servers: missing() names the filer then.
Task<Result<void>> Client::probe_volumes() {
  if (!filers_.any_usable()) co_return Result<void>{};
  co_return co_await volumes_[0]->probe();
}

VolumeClient& Client::ByShard::here() {
  auto& client = client_.volumes_[Shard::current()->index()];
  TIDEGATE_ASSERT(client != nullptr);
  return *client;
}

Task<Result<Assigned>> Client::ByShard::assign(std::string path) { return here().assign(std::move(path)); }
Task<Result<void>> Client::ByShard::upload(Assigned to, std::vector<SharedBuffer> pieces) {
  return here().upload(std::move(to), std::move(pieces));
}
Task<Result<std::optional<SharedBuffer>>> Client::ByShard::download(std::string file_id, std::uint64_t offset,
                                                                    std::uint64_t size_bytes) {
  return here().download(std::move(file_id), offset, size_bytes);
}
Task<void> Client::ByShard::discard(std::vector<std::string> file_ids) {
  return here().discard(std::move(file_ids));
}

void Client::changed(const ClusterView& view) {
  filers_.assign(view.filers);
  std::vector<std::string> addresses;
  for (const ServerAddress& filer : view.filers) addresses.push_back(filer.grpc());
  stores_.look(addresses);
  note_members(known_filers_, std::move(addresses));
  std::vector<std::string> ring;
  for (const std::string& member : view.ring) {
    if (const auto address = parse_server_address(member)) ring.push_back(address->grpc());
  }
  note_members(known_ring_, std::move(ring));
  if (options_.find_brokers) brokers_.assign(view.brokers);
  if (listener_) listener_(view);
}

// A master tells us of changes of the ring, but not how it is when we connect; the list of filers is asked
// for again and again. Either may be the first to show a change.
void Client::note_members(std::vector<std::string>& known, std::vector<std::string> members) {
  std::ranges::sort(members);
  if (members.empty() || members == known) return;
  std::vector<std::string> both = std::exchange(known, std::move(members));
  if (both.empty()) return;  // the first that is heard of
  both.insert(both.end(), known.begin(), known.end());
  if (on_ring_change_ && !stores_.is_one_store(both)) on_ring_change_();
}

std::string Client::missing() const {
  const ClusterView view = master_->view();
  if (view.filers.empty()) {
    if (!view.connected) return "no master of SeaweedFS answers: " + view.trouble;
    return "master " + view.leader + " knows of no filer" +
           (options_.filer_group.empty() ? "" : " in group '" + options_.filer_group + "'");
  }
  if (!filers_.any_usable()) return "no filer of SeaweedFS answers";
  // Filers and volume servers work without a master for a while; new file ids do not.
  if (!view.connected) return "no master of SeaweedFS answers: " + view.trouble;
  if (const std::string trouble = watch_.trouble(); !trouble.empty()) {
    return "no volume server of SeaweedFS takes chunks: " + trouble;
  }
  return {};
}

}  // namespace tidegate::storage::seaweedmq
