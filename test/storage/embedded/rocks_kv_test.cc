// The metadata store on a disk that loses, tears and reorders what is not synced: what was synced is there
// after any power cut, what is there is a first part of what was written, and it opens again by itself.
#include <algorithm>
#include <map>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "fault_disk.h"
#include "vfs_file_system.h"

namespace tidegate::test {
namespace {

namespace se = storage::embedded;
using State = std::map<std::string, std::string>;

struct Store {
  std::unique_ptr<se::Kv> kv;
  Result<void> opened;
  explicit Store(FaultDisk& disk, bool unsynced_writes = false) {
    spdlog::set_level(spdlog::level::off);
    auto vfs = disk.mount();
    static_cast<void>(vfs->make_dir("/data"));
    static_cast<void>(vfs->sync_dir("/"));
    kv = make_rocks_kv_on(std::move(vfs), "/data/meta", unsynced_writes);
    opened = kv->open();
  }
  State all() {
    State found;
    EXPECT_TRUE(kv->scan({}, {}, [&](std::string_view key, std::string_view value) {
      found.emplace(key, value);
      return true;
    }));
    return found;
  }
};

void apply(State& state, const std::vector<se::KvOp>& ops) {
  for (const auto& op : ops) {
    if (op.value) {
      state[op.key] = *op.value;
    } else {
      state.erase(op.key);
    }
  }
}

std::vector<se::KvOp> some_ops(SeededRng& rng, int number) {
  std::vector<se::KvOp> ops;
  const auto count = 1 + rng.below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string key = "key " + std::to_string(rng.below(20));
    if (rng.below(6) == 0) {
      ops.push_back({key, std::nullopt});
    } else {
      const std::size_t filler = rng.below(10) == 0 ? 20'000 : rng.below(300);
      ops.push_back({key, std::to_string(number) + std::string(filler, '.')});
    }
  }
  return ops;
}

// `states`: after each write that may have reached the disk, from the last synced one on.
void write_until_dark(Store& store, FaultDisk& disk, SeededRng& rng, std::vector<State>& states, int& number,
                      bool all_synced) {
  for (int i = 0; i < 60 && !disk.is_dark(); ++i) {
    const auto ops = some_ops(rng, number++);
    const bool sync = all_synced || rng.below(3) == 0;
    State next = states.back();
    apply(next, ops);
    states.push_back(next);
    const auto wrote = store.kv->write(ops, sync);
    if (!wrote) break;  // it may be there or not
    const bool synced = sync || (rng.below(8) == 0 && store.kv->sync().has_value());
    if (synced) states = {next};
  }
}

std::string summary(const State& state) {
  std::string text = std::to_string(state.size()) + " keys:";
  for (const auto& [key, value] : state) text += " " + key.substr(4) + "=" + value.substr(0, value.find('.'));
  return text;
}

// Under flush=ack every write is synced.
void run_power_cuts(bool all_synced, std::uint64_t seeds) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    auto disk = std::make_shared<FaultDisk>(seed);
    SeededRng rng(seed);
    std::vector<State> states{{}};
    int number = 0;
    for (int cut = 0; cut < 12; ++cut) {
      SCOPED_TRACE("seed " + std::to_string(seed) + " cut " + std::to_string(cut));
      {
        Store store(*disk, !all_synced);
        ASSERT_TRUE(store.opened) << store.opened.error().message;
        const State found = store.all();
        if (::testing::Test::HasFailure()) return;
        ASSERT_NE(std::find(states.begin(), states.end(), found), states.end())
            << "not what it was after any of " << states.size() << " writes; it has " << summary(found)
            << ", the last that was synced had " << summary(states.front());
        states = {found};
        disk->power_off_after(1 + rng.below(150));
        write_until_dark(store, *disk, rng, states, number, all_synced);
        if (rng.below(2) == 0) disk->crash();  // else the process ends in the dark
      }
      disk->crash();
      if (rng.below(3) == 0) {  // the next start does not get far
        disk->power_off_after(1 + rng.below(80));
        {
          const Store store(*disk, !all_synced);
        }
        disk->crash();
      }
    }
  }
}

TEST(RocksKvOnFaultDisk, PowerCuts_KeepWhatWasSynced) { run_power_cuts(true, 12); }
TEST(RocksKvOnFaultDisk, PowerCuts_KeepAFirstPartOfWhatWasNotSynced) { run_power_cuts(false, 12); }

TEST(RocksKvOnFaultDisk, FullDisk_RefusesAndIsReadOn) {
  auto disk = std::make_shared<FaultDisk>(1);
  Store store(*disk);
  ASSERT_TRUE(store.opened) << store.opened.error().message;
  const se::KvOp first{"a", "1"};
  ASSERT_TRUE(store.kv->write({&first, 1}, true));
  disk->set_capacity(1);
  const se::KvOp second{"b", std::string(5000, 'x')};
  EXPECT_FALSE(store.kv->write({&second, 1}, true));
  EXPECT_EQ(store.all(), (State{{"a", "1"}}));
  // RocksDB goes on by itself, some seconds after there is room.
}

}  // namespace
}  // namespace tidegate::test
