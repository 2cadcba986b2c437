// Needles, against the fake volume server and, with TIDEGATE_WEED, a real one; tokens against the fake.
#include <set>

#include <gtest/gtest.h>

#include "rpc/client_rig.h"

namespace tidegate::storage::seaweedmq {
namespace {

class VolumeSuite : public EitherCluster {};
INSTANTIATE_TEST_SUITE_P(Clusters, VolumeSuite, ::testing::ValuesIn(clusters()), kind_of);

TEST_P(VolumeSuite, WhatIsUploaded_IsDownloaded) {
  const std::string id = rig().store("0123456789");
  const auto all = rig().download(id, 0, 10);
  ASSERT_TRUE(all && *all) << (all ? "gone" : all.error().message);
  EXPECT_EQ(ClientRig::text(**all), "0123456789");
}

TEST_P(VolumeSuite, Range_GivesThatPart) {
  const std::string id = rig().store("0123456789");
  EXPECT_EQ(ClientRig::text(**rig().download(id, 3, 4)), "3456");
  EXPECT_EQ(ClientRig::text(**rig().download(id, 9, 1)), "9");
  EXPECT_EQ(ClientRig::text(**rig().download(id, 5, 100)), "56789");
  EXPECT_TRUE((**rig().download(id, 5, 0)).empty());
}

TEST_P(VolumeSuite, NeedleThatIsNotThere_IsGone) {
  const std::string id = rig().store("x");
  auto other = FileId::parse(id).value();
  other.key += 1'000'000;
  const auto gone = rig().download(other.text(), 0, 10);
  ASSERT_TRUE(gone) << gone.error().message;
  EXPECT_FALSE(*gone);
}

TEST_P(VolumeSuite, VolumeThatNobodyHas_IsAnError) {
  const auto answer = rig().download("4000000,01637037d6", 0, 10);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kafka_storage_error);
  EXPECT_FALSE(rig().download("nonsense", 0, 10));
}

TEST_P(VolumeSuite, BigChunkInPieces_IsWhole) {
  std::string all;
  std::vector<SharedBuffer> pieces;
  for (int i = 0; i < 64; ++i) {
    std::string piece(65'536 + static_cast<std::size_t>(i), '\0');
    for (std::size_t at = 0; at < piece.size(); ++at)
      piece[at] = static_cast<char>((at * 31 + static_cast<std::size_t>(i)) & 0xff);
    pieces.push_back(ClientRig::copy(piece));
    if (i % 8 == 0) pieces.push_back(SharedBuffer());
    all += piece;
  }
  const auto to = rig().assign();
  ASSERT_TRUE(to);
  const auto done = rig().run([&] { return rig().client().volumes().upload(*to, pieces); });
  ASSERT_TRUE(done) << done.error().message;
  const auto back = rig().download(to->file_id, 0, all.size());
  ASSERT_TRUE(back && *back);
  EXPECT_TRUE(ClientRig::text(**back) == all);
  EXPECT_TRUE(ClientRig::text(**rig().download(to->file_id, 1'000'000, 70'000)) ==
              all.substr(1'000'000, 70'000));
}

TEST_P(VolumeSuite, SameUploadAgain_IsFine) {
  const auto to = rig().assign();
  EXPECT_TRUE(rig().upload(*to, "same"));
  EXPECT_TRUE(rig().upload(*to, "same"));
  EXPECT_EQ(ClientRig::text(**rig().download(to->file_id, 0, 4)), "same");
}

TEST_P(VolumeSuite, Discard_TakesNeedlesAway) {
  const std::string id = rig().store("x");
  rig().run([&] { return rig().client().volumes().discard({id, "nonsense", "4000000,01637037d6"}); });
  EXPECT_TRUE(rig().eventually([&] {
    const auto gone = rig().download(id, 0, 1);
    return gone && !*gone;
  }));
}

TEST_P(VolumeSuite, ManyAtOnce_AllArrive) {
  std::vector<std::pair<std::string, std::string>> stored;
  int failures = 0;
  auto one = [&](int i) -> Task<void> {
    const std::string bytes = "needle " + std::to_string(i);
    auto to = co_await rig().client().volumes().assign("/topics/kafka/many/v/f");
    if (!to) {
      ++failures;
      co_return;
    }
    const std::string id = to->file_id;
    std::vector<SharedBuffer> pieces{ClientRig::copy(bytes)};
    const auto done = co_await rig().client().volumes().upload(std::move(*to), std::move(pieces));
    failures += done ? 0 : 1;
    stored.emplace_back(id, bytes);
  };
  for (int i = 0; i < 200; ++i) {
    rig().shards().call([&] { rig().shards().shard().start(one(i), "test"); });
  }
  ASSERT_TRUE(rig().eventually([&] {
    return rig().shards().call([&] { return stored.size() + static_cast<std::size_t>(failures) >= 200; });
  }));
  EXPECT_EQ(failures, 0);
  std::set<std::string> ids;
  for (const auto& [id, bytes] : stored) {
    ids.insert(id);
    EXPECT_EQ(ClientRig::text(**rig().download(id, 0, bytes.size())), bytes);
  }
  EXPECT_EQ(ids.size(), 200U);
}

// ------------------------------------------------------------------------------------- fake only

std::unique_ptr<ClientRig> fake_rig(test::FakeClusterOptions cluster = {},
                                    ClientOptions options = ClientRig::quick()) {
  auto rig =
      std::make_unique<ClientRig>(std::make_unique<FakeCluster>(std::move(cluster)), std::move(options));
  rig->start_and_wait();
  return rig;
}

TEST(SeaweedVolume, UploadsAskForASync_UnlessToldNotTo) {
  auto rig = fake_rig();
  EXPECT_TRUE(rig->fake().needles().synced.at(rig->store("x")));
  auto options = ClientRig::quick();
  options.fsync = false;
  auto careless = fake_rig({}, options);
  EXPECT_FALSE(careless->fake().needles().synced.at(careless->store("x")));
}

TEST(SeaweedVolume, OneAssignment_ServesManyUploads_OnKeptConnections) {
  auto rig = fake_rig();
  for (int i = 0; i < 20; ++i) rig->store("x");
  EXPECT_EQ(rig->fake().filer().faults().calls("AssignVolume"), 2);
  // A master that books a megabyte for each id would soon find all volumes full.
  EXPECT_LE(rig->fake().filer().booked_bytes(), 2U << 20);
  EXPECT_EQ(rig->fake().volume().connections(), 1);
}

TEST(SeaweedVolume, WithTheKeys_TokensAreOurOwn) {
  auto options = ClientRig::quick();
  options.jwt_write_key = "w";
  options.jwt_read_key = "r";
  auto rig = fake_rig({.filer_group = "", .keys = {"w", "r"}, .assign_gives_token = true}, options);
  std::string id;
  for (int i = 0; i < 4; ++i) id = rig->store("secret");
  EXPECT_EQ(rig->fake().filer().faults().calls("AssignVolume"), 1);
  EXPECT_EQ(ClientRig::text(**rig->download(id, 0, 6)), "secret");
  rig->run([&] { return rig->client().volumes().discard({id}); });
  EXPECT_FALSE(rig->fake().needles().has(id));
}

TEST(SeaweedVolume, WithoutTheKey_EachUploadHasItsOwnAssignment) {
  auto rig = fake_rig({.filer_group = "", .keys = {"w", ""}, .assign_gives_token = true});
  for (int i = 0; i < 5; ++i) rig->store("x");
  EXPECT_EQ(rig->fake().filer().faults().calls("AssignVolume"), 5);
  EXPECT_LE(rig->fake().filer().booked_bytes(), 1U << 20);
}

TEST(SeaweedVolume, WrongKey_IsAnErrorThatSaysSo) {
  auto options = ClientRig::quick();
  options.jwt_write_key = "other";
  auto rig = fake_rig({.filer_group = "", .keys = {"w", "r"}}, options);
  const auto to = rig->assign();
  const auto done = rig->upload(*to, "x");
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("401"), std::string::npos) << done.error().message;
  EXPECT_FALSE(rig->download(to->file_id, 0, 1));
}

TEST(SeaweedVolume, ServerThatIgnoresRanges_IsCutToWhatWasAsked) {
  auto rig = fake_rig();
  const std::string id = rig->store("0123456789");
  rig->fake().volume().ignore_ranges(true);
  EXPECT_EQ(ClientRig::text(**rig->download(id, 3, 4)), "3456");
  EXPECT_EQ(ClientRig::text(**rig->download(id, 0, 2)), "01");
}

TEST(SeaweedVolume, AnswerThatIsCutShort_IsAnError) {
  auto rig = fake_rig();
  const std::string id = rig->store("0123456789");
  rig->fake().volume().faults().set("GET", {.kind = Fault::Kind::body, .times = -1});
  const auto cut = rig->download(id, 0, 10);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, ErrorCode::kafka_storage_error);
  rig->fake().volume().faults().clear();
}

TEST(SeaweedVolume, ReadThatFailedOnce_IsTriedAgain) {
  auto rig = fake_rig();
  const std::string id = rig->store("0123456789");
  rig->fake().volume().faults().set("GET", {.code = 503});
  EXPECT_EQ(ClientRig::text(**rig->download(id, 0, 10)), "0123456789");
}

TEST(SeaweedVolume, VolumeThatRefusesAnUpload_GetsNoMoreOfItsIds) {
  auto rig = fake_rig();
  rig->store("x");
  rig->fake().volume().faults().set("PUT", {.code = 500, .text = "volume is read only"});
  const auto done = rig->upload(*rig->assign(), "x");
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("read only"), std::string::npos);
  rig->store("x");
  EXPECT_EQ(rig->fake().filer().faults().calls("AssignVolume"), 2);
}

TEST(SeaweedVolume, AssignmentThatFails_SaysWhy) {
  auto rig = fake_rig();
  rig->fake().filer().faults().set("AssignVolume",
                                   {.kind = Fault::Kind::body, .text = "no free volumes left"});
  const auto to = rig->assign();
  ASSERT_FALSE(to);
  EXPECT_EQ(to.error().code, ErrorCode::kafka_storage_error);
  EXPECT_NE(to.error().message.find("no free volumes left"), std::string::npos);
  EXPECT_TRUE(rig->assign());
}

TEST(SeaweedVolume, DownloadOfMoreThanAMessage_ComesInParts) {
  auto options = ClientRig::quick();
  options.max_message_bytes = 1000;
  auto rig = fake_rig({}, options);
  std::string all;
  for (int i = 0; all.size() < 4500; ++i) all += std::to_string(i) + ' ';
  const std::string id = rig->store(all);
  for (const std::size_t size : {std::size_t{1000}, std::size_t{1001}, std::size_t{3000}, all.size()}) {
    const auto some = rig->download(id, 0, size);
    ASSERT_TRUE(some && *some) << (some ? "gone" : some.error().message);
    EXPECT_TRUE(ClientRig::text(**some) == all.substr(0, size)) << size;
  }
  EXPECT_TRUE(ClientRig::text(**rig->download(id, 700, 2900)) == all.substr(700, 2900));
  // There is no more of it.
  EXPECT_TRUE(ClientRig::text(**rig->download(id, 700, 100'000)) == all.substr(700));
}

TEST(SeaweedVolume, DownloadOfTooMuch_IsRefused) {
  auto rig = fake_rig();
  const auto refused = rig->download(rig->store("x"), 0, VolumeClient::kMaxDownloadBytes + 1);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("too many"), std::string::npos);
}

}  // namespace
}  // namespace tidegate::storage::seaweedmq
