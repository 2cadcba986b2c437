#include "fake/cluster.h"

#include <ctime>

#include "rpc/jwt.h"

namespace tidegate::test {

FakeCluster::FakeCluster(FakeClusterOptions options) : options_(std::move(options)) {
  start(Part::master);
  start(Part::volume);
  start(Part::filer);
  if (options_.broker) start(Part::broker);
}

FakeCluster::~FakeCluster() {
  broker_.reset();
  filer_.reset();
  volume_.reset();
  master_.reset();
}

FakeFiler::Surroundings FakeCluster::surroundings() {
  FakeFiler::Surroundings around;
  around.writable = [this]() -> std::vector<FakeFiler::Volume> {
    return {{kVolume, "127.0.0.1:" + std::to_string(volume_port_)}};
  };
  around.locate = [this](std::uint32_t volume) -> std::vector<std::string> {
    if (volume != kVolume) return {};
    return {"127.0.0.1:" + std::to_string(volume_port_)};
  };
  around.delete_needle = [this](const std::string& id) { needles_.erase(id); };
  if (options_.assign_gives_token) {
    around.sign = [this](const std::string& id) {
      return storage::seaweedmq::sign_file_token(options_.keys.write, id, std::time(nullptr) + 10);
    };
  }
  around.owner = [this](const std::string&) { return ring_owner_; };
  return around;
}

FakeBroker::Surroundings FakeCluster::surroundings_of_broker() {
  FakeBroker::Surroundings around;
  around.read_content = [this](const std::string& path) -> std::optional<std::string> {
    const auto slash = path.rfind('/');
    const std::lock_guard lock(entries_.mutex);
    const auto directory = entries_.directories.find(path.substr(0, slash));
    if (directory == entries_.directories.end()) return std::nullopt;
    const auto entry = directory->second.find(path.substr(slash + 1));
    if (entry == directory->second.end()) return std::nullopt;
    return entry->second.content();
  };
  around.put_content = [this](const std::string& path, const std::string& content) {
    const std::lock_guard lock(filer_mutex_);
    return filer_ && filer_->put_content(path, content);
  };
  around.append_chunk = [this](const std::string& directory, const std::string& name,
                               const std::string& bytes,
                               const std::map<std::string, std::string>& attributes) {
    const std::lock_guard lock(filer_mutex_);
    return filer_ && volume_ && filer_->append_chunk(directory, name, bytes, attributes, kVolume, needles_);
  };
  return around;
}

std::unique_ptr<FakeFiler> FakeCluster::another_filer(EntryStore& store) {
  return std::make_unique<FakeFiler>(store, surroundings());
}

std::uint16_t FakeCluster::port_of(Part part) const {
  switch (part) {
    case Part::master:
      return static_cast<std::uint16_t>(master_port_);
    case Part::filer:
      return static_cast<std::uint16_t>(filer_port_);
    case Part::volume:
      return volume_port_;
    case Part::broker:
      return static_cast<std::uint16_t>(broker_port_);
  }
  return 0;
}

void FakeCluster::kill(Part part) {
  switch (part) {
    case Part::master:
      master_.reset();
      break;
    case Part::filer: {
      const std::lock_guard lock(filer_mutex_);
      filer_.reset();
    }
      if (master_) master_->remove_filer(options_.filer_group, filer_address_);
      break;
    case Part::volume: {
      const std::lock_guard lock(filer_mutex_);
      volume_.reset();
      break;
    }
    case Part::broker:
      if (master_ && broker_) master_->remove_broker(broker_->address());
      broker_.reset();
      break;
  }
}

void FakeCluster::start(Part part) {
  switch (part) {
    case Part::master:
      master_ = std::make_unique<FakeMaster>(master_port_);
      master_port_ = master_->port();
      master_address_ = master_->address();
      if (filer_) master_->add_filer(options_.filer_group, filer_address_);
      if (broker_) master_->add_broker(broker_->address());
      break;
    case Part::filer: {
      const std::lock_guard lock(filer_mutex_);
      filer_ = std::make_unique<FakeFiler>(entries_, surroundings(), filer_port_);
    }
      filer_port_ = filer_->port();
      filer_address_ = "127.0.0.1:" + std::to_string(filer_port_) + "." + std::to_string(filer_port_);
      if (master_) master_->add_filer(options_.filer_group, filer_address_);
      break;
    case Part::volume: {
      const std::lock_guard lock(filer_mutex_);
      volume_ = std::make_unique<FakeVolumeServer>(needles_, options_.keys, volume_port_);
      volume_port_ = volume_->port();
      break;
    }
    case Part::broker:
      broker_ = std::make_unique<FakeBroker>(surroundings_of_broker(), options_.broker_times, broker_port_);
      broker_port_ = broker_->port();
      if (master_) master_->add_broker(broker_->address());
      break;
  }
}

}  // namespace tidegate::test
