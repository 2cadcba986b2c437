#include "broker_path/others_runs.h"

#include <gtest/gtest.h>

namespace tidegate::storage::seaweedmq {
namespace {

void add(OthersRuns& runs, const std::string& id, std::size_t count) {
  runs.add({.file_id = id, .size_bytes = 10 * count}, {.count = count, .bytes = 10 * count});
}
// chunk[first+count)@base
std::string found(const OthersRuns& runs, Offset offset, Offset own_end) {
  const auto run = runs.find(offset, own_end);
  if (!run) return "none";
  return run->chunk.file_id + "[" + std::to_string(run->first) + "+" + std::to_string(run->count) + ")@" +
         std::to_string(run->base);
}

TEST(OthersRuns, WhatIsBehindAllOfOurs_HasTheOffsetsThatFollow) {
  OthersRuns runs;
  EXPECT_EQ(found(runs, 0, 0), "none");
  add(runs, "a", 3);
  add(runs, "none of it", 0);
  add(runs, "b", 2);
  EXPECT_EQ(runs.pending(), 5);
  EXPECT_EQ(found(runs, 0, 10), "a[0+3)@10") << "the first one behind";
  EXPECT_EQ(found(runs, 12, 10), "a[2+1)@12");
  EXPECT_EQ(found(runs, 13, 10), "b[0+2)@13");
  EXPECT_EQ(found(runs, 15, 10), "none");
  EXPECT_EQ(runs.bytes_between(0, 100, 10), 50U);
}

TEST(OthersRuns, FixedOnesStay_InTheirOrder) {
  OthersRuns runs;
  add(runs, "a", 3);
  add(runs, "b", 4);
  runs.fix(10, 5);
  EXPECT_EQ(runs.pending(), 2);
  EXPECT_EQ(found(runs, 10, 50), "a[0+3)@10");
  EXPECT_EQ(found(runs, 14, 50), "b[1+1)@14");
  EXPECT_EQ(found(runs, 15, 50), "b[2+2)@50");
  EXPECT_EQ(found(runs, 51, 50), "b[3+1)@51");
  EXPECT_EQ(runs.count_from(0), 7);
  EXPECT_EQ(runs.count_from(12), 5);
  EXPECT_EQ(runs.count_from(15), 2);
  runs.fix(50, 9);
  EXPECT_EQ(runs.pending(), 0) << "what is missing is a gap";
  EXPECT_EQ(found(runs, 52, 59), "none");
}

TEST(OthersRuns, WhatWasFixedByAVoidMessage_IsPendingAgain) {
  OthersRuns runs;
  add(runs, "a", 3);
  add(runs, "b", 3);
  runs.fix(10, 4);
  runs.fix(20, 1);
  add(runs, "c", 1);
  EXPECT_EQ(runs.pending(), 2);
  runs.unfix(20);
  EXPECT_EQ(runs.pending(), 3);
  EXPECT_EQ(found(runs, 14, 30), "b[1+1)@30");
  runs.unfix(12);
  EXPECT_EQ(runs.pending(), 5);
  EXPECT_EQ(found(runs, 11, 12), "a[1+1)@11");
  EXPECT_EQ(found(runs, 12, 12), "a[2+1)@12");
  EXPECT_EQ(found(runs, 13, 12), "b[0+1)@13");
  runs.fix(12, 5);
  EXPECT_EQ(found(runs, 16, 40), "c[0+1)@16");
}

}  // namespace
}  // namespace tidegate::storage::seaweedmq
