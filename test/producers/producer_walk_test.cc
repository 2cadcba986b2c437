// A random walk of 10^5 events a seed against a model that keeps the whole history of every producer
// and works out each answer from it anew. TIDEGATE_SEED replays a failure.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "producers/batches.h"
#include "tidegate/base/rng.h"
#include "tidegate/producers/producer_state_table.h"

namespace tidegate::producers {
namespace {

using protocol::BatchHeader;
using test::Batch;
using test::header_at;
using test::marker_at;
using Kind = Verdict::Kind;

struct ModelProducer {
  std::vector<BatchHeader> history;  // since it became known
  MonoTime last_used;
  std::uint64_t used_at_step = 0;

  std::int16_t epoch() const { return history.back().producer_epoch; }
  std::vector<BatchHeader> batches() const {  // all of the current epoch, not only five
    std::vector<BatchHeader> all;
    all.reserve(history.size());
    for (const auto& header : history) {
      if (!header.is_control() && header.producer_epoch == epoch()) all.push_back(header);
    }
    return all;
  }
  Offset open_transaction(Offset before = std::numeric_limits<Offset>::max()) const {
    Offset open = kNoOpenTransaction;
    for (const auto& header : history) {
      if (header.base_offset >= before) break;
      if (header.is_control())
        open = kNoOpenTransaction;
      else if (header.is_transactional() && open == kNoOpenTransaction)
        open = header.base_offset;
    }
    return open;
  }
};

class Model {
 public:
  explicit Model(ProducerLimits limits) : limits_(limits) {}

  Kind offer(const BatchHeader& header, MonoTime now, ErrorCode& code, Offset& original) {
    ++step_;
    code = ErrorCode::none;
    original = -1;
    if (header.producer_id < 0) {
      end = header.next_offset();
      return Kind::append;
    }
    auto found = producers.find(header.producer_id);
    if (found != producers.end() && !busy(found->second) &&
        now - found->second.last_used >= limits_.expiration) {
      producers.erase(found);
      found = producers.end();
    }
    if (found != producers.end()) {
      const auto kind = judge(found->second, header, code, original);
      if (kind != Kind::append) {
        if (kind != Kind::refused) use(found->second, now);
        return kind;
      }
    } else if (!make_room()) {
      if (!header.is_control()) return refuse(code, ErrorCode::request_timed_out);
      end = header.next_offset();
      return Kind::append;
    }
    auto& producer = producers[header.producer_id];
    producer.history.push_back(header);
    use(producer, now);
    end = header.next_offset();
    return Kind::append;
  }

  void roll_back_to(Offset to) {
    end = to;
    for (auto& [id, producer] : producers) {
      std::erase_if(producer.history, [&](const BatchHeader& header) { return header.base_offset >= to; });
    }
    std::erase_if(producers, [](const auto& entry) { return entry.second.history.empty(); });
  }
  std::size_t expire(MonoTime now) {
    return std::erase_if(producers, [&](const auto& entry) {
      return !busy(entry.second) && now - entry.second.last_used >= limits_.expiration;
    });
  }
  Offset first_open() const {
    Offset first = kNoOpenTransaction;
    for (const auto& [id, producer] : producers) {
      const Offset open = producer.open_transaction();
      if (open != kNoOpenTransaction && (first == kNoOpenTransaction || open < first)) first = open;
    }
    return first;
  }
  // Keeps the model fast: what lies far back and is durable no longer decides anything.
  void shorten() {
    for (auto& [id, producer] : producers) {
      auto& history = producer.history;
      // A marker in flight may yet be rolled back.
      if (producer.open_transaction(durable) != kNoOpenTransaction) continue;
      while (history.size() > 40 && history[20].next_offset() <= durable) {
        history.erase(history.begin());
      }
    }
  }

  std::map<std::int64_t, ModelProducer> producers;
  Offset durable = 0;
  Offset end = 0;

 private:
  static Kind refuse(ErrorCode& code, ErrorCode with) {
    code = with;
    return Kind::refused;
  }
  bool busy(const ModelProducer& producer) const {
    return producer.history.back().next_offset() > durable ||
           producer.open_transaction() != kNoOpenTransaction;
  }
  void use(ModelProducer& producer, MonoTime now) {
    producer.last_used = now;
    producer.used_at_step = step_;
  }
  Kind judge(const ModelProducer& producer, const BatchHeader& header, ErrorCode& code,
             Offset& original) const {
    if (header.producer_epoch < producer.epoch()) return refuse(code, ErrorCode::invalid_producer_epoch);
    if (header.is_control()) return Kind::append;
    auto batches = producer.batches();
    if (header.producer_epoch > producer.epoch()) batches.clear();
    const auto last_five = batches.size() > 5 ? batches.end() - 5 : batches.begin();
    for (auto at = last_five; at != batches.end(); ++at) {
      if (at->base_sequence == header.base_sequence && at->records_count == header.records_count) {
        original = at->base_offset;
        return at->next_offset() <= durable ? Kind::duplicate : Kind::duplicate_in_flight;
      }
    }
    if (producer.open_transaction() != kNoOpenTransaction && !header.is_transactional()) {
      return refuse(code, ErrorCode::invalid_txn_state);
    }
    std::int64_t expected = 0;
    if (!batches.empty()) {
      expected = (std::int64_t{batches.back().base_sequence} + batches.back().records_count) %
                 (std::int64_t{1} << 31);
    }
    return header.base_sequence == expected ? Kind::append
                                            : refuse(code, ErrorCode::out_of_order_sequence_number);
  }
  bool make_room() {
    if (producers.size() < limits_.max_producers) return true;
    auto oldest = producers.end();
    for (auto at = producers.begin(); at != producers.end(); ++at) {
      if (busy(at->second)) continue;
      if (oldest == producers.end() || at->second.used_at_step < oldest->second.used_at_step) oldest = at;
    }
    if (oldest == producers.end()) return false;
    producers.erase(oldest);
    return true;
  }

  ProducerLimits limits_;
  std::uint64_t step_ = 0;
};

class Walk {
 public:
  Walk(std::uint64_t seed, ProducerLimits limits)
      : rng_(seed), limits_(limits), table_(limits), model_(limits) {}

  void run(int events) {
    for (int i = 0; i < events && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE(testing::Message() << "event " << i);
      step();
      compare_ends();
      // Looking at everybody after each event takes most of the time and finds nothing sooner.
      if (i % 10 == 0) compare_producers();
      if (i % 64 == 0) model_.shorten();
    }
    // A walk that never reached a rule proves nothing about it.
    EXPECT_GT(appended_, events / 10);
    EXPECT_GT(duplicates_, events / 100);
    EXPECT_GT(waiting_, events / 1000);
    EXPECT_GT(refused_[ErrorCode::out_of_order_sequence_number], events / 100);
    EXPECT_GT(refused_[ErrorCode::invalid_producer_epoch], events / 1000);
    EXPECT_GT(refused_[ErrorCode::invalid_txn_state], events / 1000);
    EXPECT_GT(rolled_back_, events / 1000);
  }
  std::map<ErrorCode, int>& refused() { return refused_; }

 private:
  void step() {
    const auto what = rng_.below(1000);
    if (what < 720) return offer(any_batch());
    if (what < 760) return offer(marker_at(model_.end, any_producer(), any_epoch()));
    if (what < 920) return commit();
    if (what < 950) return roll_back();
    if (what < 980) {
      now_ = now_ + std::chrono::minutes(rng_.below(120));
      return;
    }
    if (what < 990) {
      EXPECT_EQ(table_.expire(now_), model_.expire(now_));
      return;
    }
    if (what < 995) return restart();
    return forget();
  }

  std::int64_t any_producer() { return static_cast<std::int64_t>(rng_.below(8)); }
  std::int16_t any_epoch() {
    return static_cast<std::int16_t>(epoch_base_ + static_cast<std::int16_t>(rng_.below(3)));
  }

  // Mostly what a real client might send next, sometimes nonsense.
  BatchHeader any_batch() {
    Batch batch{.producer = any_producer()};
    if (rng_.below(20) == 0) return header_at(model_.end, {.producer = -1, .records = 3});
    batch.epoch = any_epoch();
    batch.records = 1 + static_cast<std::int32_t>(rng_.below(3));
    batch.transactional = rng_.below(3) == 0;
    const auto known = model_.producers.find(batch.producer);
    const auto choice = rng_.below(10);
    if (known != model_.producers.end() && choice < 9) {
      const auto& producer = known->second;
      if (rng_.below(50) != 0) batch.epoch = producer.epoch();
      if (rng_.below(10) != 0)
        batch.transactional = producer.open_transaction() != kNoOpenTransaction || batch.transactional;
      const auto batches = producer.batches();
      if (!batches.empty() && choice < 6) {
        batch.sequence = static_cast<std::int32_t>(
            (std::int64_t{batches.back().base_sequence} + batches.back().records_count) %
            (std::int64_t{1} << 31));
      } else if (!batches.empty()) {
        const auto back = rng_.below(std::min<std::size_t>(batches.size(), 8));
        const auto& old = batches[batches.size() - 1 - back];
        batch.sequence = old.base_sequence;
        batch.records = old.records_count;
      }
    } else {
      // Near the wrap, so that it is passed often.
      const auto near = static_cast<std::int64_t>(rng_.below(6));
      batch.sequence = static_cast<std::int32_t>(rng_.below(2) == 0 ? near : INT32_MAX - near);
    }
    return header_at(model_.end, batch);
  }

  void offer(const BatchHeader& header) {
    ErrorCode code{};
    Offset original = -1;
    const auto expected = model_.offer(header, now_, code, original);
    const auto verdict = table_.prepare(header, now_);
    ASSERT_EQ(verdict.kind, expected) << verdict.error.message;
    EXPECT_EQ(verdict.error.code, code);
    EXPECT_EQ(verdict.base_offset, original);
    if (verdict.kind == Kind::append) ++appended_;
    if (verdict.kind == Kind::duplicate) ++duplicates_;
    if (verdict.kind == Kind::duplicate_in_flight) {
      ++waiting_;
      EXPECT_GT(verdict.wait_for, model_.durable);
      EXPECT_LE(verdict.wait_for, model_.end);
    }
    if (verdict.kind == Kind::refused) ++refused_[code];
    if (verdict.kind == Kind::append) ends_.push_back(header.next_offset());
  }
  // Ends of batches between the durable end and the prepared end.
  void commit() {
    if (ends_.empty()) return;
    const auto count = 1 + rng_.below(ends_.size());
    model_.durable = ends_[count - 1];
    ends_.erase(ends_.begin(), ends_.begin() + static_cast<std::ptrdiff_t>(count));
    table_.committed_up_to(model_.durable);
    if (rng_.below(50) == 0) ++epoch_base_;
    if (epoch_base_ > 30'000) epoch_base_ = 0;
  }
  void roll_back() {
    const auto keep = rng_.below(ends_.size() + 1);
    const Offset to = keep == 0 ? model_.durable : ends_[keep - 1];
    ends_.resize(keep);
    model_.roll_back_to(to);
    ASSERT_TRUE(table_.roll_back_to(to));
    if (model_.durable > 0) EXPECT_FALSE(table_.roll_back_to(model_.durable - 1));
    ++rolled_back_;
  }
  // Whatever was in flight is lost, the rest comes from the snapshot.
  void restart() {
    auto read = ProducerStateTable::parse(table_.serialise(now_), limits_, now_);
    ASSERT_TRUE(read) << read.error().message;
    table_ = std::move(*read);
    ends_.clear();
    model_.roll_back_to(model_.durable);
  }
  // Everybody falls silent for so long that only open transactions stay.
  void forget() {
    commit_all();
    now_ = now_ + limits_.expiration;
    EXPECT_EQ(table_.expire(now_), model_.expire(now_));
  }
  void commit_all() {
    ends_.clear();
    model_.durable = model_.end;
    table_.committed_up_to(model_.end);
  }

  void compare_ends() {
    ASSERT_EQ(table_.prepared_end(), model_.end);
    ASSERT_EQ(table_.durable_end(), model_.durable);
    ASSERT_EQ(table_.size(), model_.producers.size());
    ASSERT_LE(table_.size(), limits_.max_producers);
  }
  void compare_producers() {
    ASSERT_EQ(table_.first_open_transaction().value_or(kNoOpenTransaction), model_.first_open());
    for (const auto& [id, expected] : model_.producers) {
      const auto* state = table_.find(id);
      ASSERT_NE(state, nullptr) << id;
      ASSERT_EQ(state->epoch, expected.epoch());
      ASSERT_EQ(state->open_transaction, expected.open_transaction());
      const auto batches = expected.batches();
      ASSERT_EQ(state->remembered().size(), std::min<std::size_t>(5, batches.size()));
      for (std::size_t i = 0; i < state->remembered().size(); ++i) {
        ASSERT_EQ(state->remembered()[i].base_offset,
                  batches[batches.size() - state->remembered().size() + i].base_offset);
      }
    }
  }

  SeededRng rng_;
  ProducerLimits limits_;
  ProducerStateTable table_;
  Model model_;
  MonoTime now_{};
  std::vector<Offset> ends_;
  std::int16_t epoch_base_ = 0;
  int appended_ = 0;
  int duplicates_ = 0;
  int waiting_ = 0;
  int rolled_back_ = 0;
  std::map<ErrorCode, int> refused_;
};

std::uint64_t seed_or(std::uint64_t fixed) {
  const char* given = std::getenv("TIDEGATE_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : fixed;
}

TEST(ProducerWalk, AnswersAsTheModelDoes) {
  const auto seed = seed_or(20'241'122);
  SCOPED_TRACE(testing::Message() << "TIDEGATE_SEED=" << seed);
  Walk(seed, {}).run(100'000);
}

TEST(ProducerWalk, AnswersAsTheModelDoesWithFewPlaces) {
  const auto seed = seed_or(4'711);
  SCOPED_TRACE(testing::Message() << "TIDEGATE_SEED=" << seed);
  Walk walk(seed, {.max_producers = 4});
  walk.run(30'000);
  EXPECT_GT(walk.refused()[ErrorCode::request_timed_out], 30);
}

}  // namespace
}  // namespace tidegate::producers
