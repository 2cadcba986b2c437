// What the codec promises apart from layout (which test/golden settles): slices, strictness, sticky
// failures with a path, and best-effort bytes for values that a version cannot carry.
#include "tidegate/protocol/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tidegate/protocol/messages/api_versions.h"
#include "tidegate/protocol/messages/create_topics.h"
#include "tidegate/protocol/messages/describe_topic_partitions.h"
#include "tidegate/protocol/messages/fetch.h"
#include "tidegate/protocol/messages/heartbeat.h"
#include "tidegate/protocol/messages/metadata.h"
#include "tidegate/protocol/messages/produce.h"

namespace tidegate::protocol {
namespace {

using testing::HasSubstr;

SharedBuffer join(const std::vector<SharedBuffer>& chunks) {
  std::vector<std::uint8_t> all;
  for (const SharedBuffer& chunk : chunks) all.insert(all.end(), chunk.data(), chunk.data() + chunk.size());
  return SharedBuffer::copy_of(all);
}

template <class M>
SharedBuffer encode(const M& message, std::int16_t version) {
  return join(Codec<M>::encode(message, version, {}).chunks);
}

ProduceRequest one_partition(std::string_view records) {
  ProduceRequest::PartitionProduceData partition;
  partition.index = 3;
  partition.records = SharedBuffer::copy_of(as_bytes(records));
  ProduceRequest::TopicProduceData topic;
  topic.name = "t";
  topic.partition_data.push_back(std::move(partition));
  ProduceRequest request;
  request.acks = -1;
  request.topic_data.push_back(std::move(topic));
  return request;
}

TEST(Codec, RequestRecords_AreASliceOfTheFrame) {
  const SharedBuffer frame = join(encode_request(one_partition("batch bytes"), 9, 77, "client"));
  const auto parsed = parse_request(frame, request_header_version_of<ProduceRequest>(9));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->header.correlation_id, 77);
  EXPECT_EQ(parsed->header.client_id, "client");
  const auto request = decode_request<ProduceRequest>(parsed->body, 9);
  ASSERT_TRUE(request.has_value()) << request.error().message;
  const SharedBuffer& records = *request->topic_data.at(0).partition_data.at(0).records;
  EXPECT_EQ(as_text(records), "batch bytes");
  EXPECT_GE(records.data(), frame.data());
  EXPECT_LE(records.data() + records.size(), frame.data() + frame.size());
}

TEST(Codec, ResponseRecords_AreReferredToNotCopied) {
  const SharedBuffer first = SharedBuffer::copy_of(as_bytes("first batch"));
  const SharedBuffer second = SharedBuffer::copy_of(as_bytes("second batch"));
  FetchResponse::PartitionData partition;
  partition.records.emplace();
  partition.records->add(first);
  partition.records->add(second);
  FetchResponse::FetchableTopicResponse topic;
  topic.topic = "t";
  topic.partitions.push_back(partition);
  FetchResponse response;
  response.responses.push_back(topic);

  const std::vector<SharedBuffer> chunks = encode_response(response, 12, 5);
  ASSERT_EQ(chunks.size(), 4U);
  EXPECT_EQ(chunks[1].data(), first.data());
  EXPECT_EQ(chunks[2].data(), second.data());
  const auto decoded = decode_response<FetchResponse>(join(chunks), 12);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(decoded->correlation_id, 5);
  EXPECT_EQ(decoded->response, response);
}

TEST(Codec, TrailingBytes_AreAnError) {
  HeartbeatRequest request;
  request.group_id = "g";
  std::vector<std::uint8_t> bytes;
  const SharedBuffer good = encode(request, 4);
  bytes.assign(good.data(), good.data() + good.size());
  bytes.push_back(0);
  const auto decoded = decode_request<HeartbeatRequest>(SharedBuffer::copy_of(bytes), 4);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().code, ErrorCode::invalid_request);
  EXPECT_THAT(decoded.error().message, HasSubstr("1 bytes follow the end"));
}

TEST(Codec, TrailingBytesOfLibrdkafkasMetadata_AreLetPass) {
  // What librdkafka 2.16 sends behind the header to list all topics: null topics, then three bytes too many.
  const std::array<std::uint8_t, 7> bytes = {0, 0, 0, 0, 1, 0, 0};
  const auto decoded = decode_request<MetadataRequest>(SharedBuffer::copy_of(bytes), 13);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_FALSE(decoded->topics.has_value());
}

TEST(Codec, UnknownVersion_IsUnsupported) {
  const auto decoded = decode_request<HeartbeatRequest>(SharedBuffer(), 5);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().code, ErrorCode::unsupported_version);
}

TEST(Codec, Failure_NamesTheFieldsPath) {
  const SharedBuffer good = encode(one_partition("0123456789"), 3);
  const auto decoded = decode_request<ProduceRequest>(good.slice(0, good.size() - 1), 3);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_THAT(decoded.error().message, HasSubstr("topic_data[0].partition_data[0].records: "));
}

TEST(Codec, NullWhereTheVersionForbidsIt_IsAnError) {
  // Metadata v0: the topics array has no null form yet.
  const std::vector<std::uint8_t> null_array{0xff, 0xff, 0xff, 0xff};
  const auto old_version = decode_request<MetadataRequest>(SharedBuffer::copy_of(null_array), 0);
  ASSERT_FALSE(old_version.has_value());
  EXPECT_THAT(old_version.error().message, HasSubstr("topics: null is not allowed in this version"));
  const auto later = decode_request<MetadataRequest>(SharedBuffer::copy_of(null_array), 1);
  ASSERT_TRUE(later.has_value());
  EXPECT_FALSE(later->topics.has_value());
}

TEST(Codec, ArrayCountBeyondTheBytes_IsRefusedBeforeAllocating) {
  const std::vector<std::uint8_t> huge{0x7f, 0xff, 0xff, 0xff};
  const auto decoded = decode_request<MetadataRequest>(SharedBuffer::copy_of(huge), 1);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_THAT(decoded.error().message, HasSubstr("2147483647 elements"));
}

TEST(Codec, NullableStruct_HasAMarkerByte) {
  DescribeTopicPartitionsRequest request;
  const SharedBuffer without = encode(request, 0);
  EXPECT_EQ(without.data()[5], 0xff);
  request.cursor = DescribeTopicPartitionsRequest::Cursor{"t", 4};
  const auto decoded = decode_request<DescribeTopicPartitionsRequest>(encode(request, 0), 0);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(*decoded, request);
}

TEST(Codec, TagsOutOfOrder_AreAnError) {
  // Fetch v12, empty, whose tagged section names tag 5 and then tag 4.
  FetchRequest request;
  const SharedBuffer good = encode(request, 12);
  std::vector<std::uint8_t> bytes(good.data(), good.data() + good.size() - 1);
  for (const std::uint8_t byte : {2, 5, 0, 4, 0}) bytes.push_back(byte);
  const auto decoded = decode_request<FetchRequest>(SharedBuffer::copy_of(bytes), 12);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_THAT(decoded.error().message, HasSubstr("tag 4 follows tag 5"));
}

TEST(Codec, TaggedFieldWithBytesBehindItsContent_IsAnError) {
  // Tag 0 of Fetch is the cluster id, a compact string: length 2 ("a"), then one byte too many.
  FetchRequest request;
  const SharedBuffer good = encode(request, 12);
  std::vector<std::uint8_t> bytes(good.data(), good.data() + good.size() - 1);
  for (const std::uint8_t byte : {1, 0, 3, 2, 'a' + 0, 0}) bytes.push_back(static_cast<std::uint8_t>(byte));
  const auto decoded = decode_request<FetchRequest>(SharedBuffer::copy_of(bytes), 12);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_THAT(decoded.error().message, HasSubstr("cluster_id: tagged field has bytes behind its end"));
}

TEST(Codec, ValueThatTheVersionLacks_IsReportedAndLeftOut) {
  HeartbeatRequest request;
  request.group_id = "g";
  request.group_instance_id = "static";
  const Encoded encoded = Codec<HeartbeatRequest>::encode(request, 2, {});
  EXPECT_EQ(encoded.problem, "group_instance_id is set, which version 2 cannot carry");
  const auto decoded = decode_request<HeartbeatRequest>(join(encoded.chunks), 2);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(decoded->group_id, "g");
  EXPECT_FALSE(decoded->group_instance_id.has_value());
}

TEST(Codec, IgnorableValueThatTheVersionLacks_IsLeftOutSilently) {
  FetchRequest request;
  request.session_id = 9;
  EXPECT_EQ(Codec<FetchRequest>::encode(request, 4, {}).problem, "");
}

TEST(Codec, NullThatTheVersionForbids_IsReportedAndSentEmpty) {
  MetadataRequest request;
  request.topics.reset();
  const Encoded encoded = Codec<MetadataRequest>::encode(request, 0, {});
  EXPECT_EQ(encoded.problem, "topics is null, which version 0 cannot carry");
  EXPECT_TRUE(decode_request<MetadataRequest>(join(encoded.chunks), 0).has_value());
}

TEST(Codec, StringOver32767Bytes_IsReportedAndCut) {
  HeartbeatRequest request;
  request.group_id = std::string(40'000, 'g');
  const Encoded encoded = Codec<HeartbeatRequest>::encode(request, 4, {});
  EXPECT_THAT(encoded.problem, HasSubstr("40000 bytes long"));
  const auto decoded = decode_request<HeartbeatRequest>(join(encoded.chunks), 4);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(decoded->group_id.size(), 32'767U);
}

TEST(Codec, ApiVersionsResponse_NeverHasAFlexibleHeader) {
  EXPECT_EQ(response_header_version_of<ApiVersionsResponse>(4), 0);
  EXPECT_EQ(response_header_version_of<MetadataResponse>(9), 1);
  EXPECT_EQ(response_header_version_of<MetadataResponse>(8), 0);
  EXPECT_EQ(request_header_version_of<ApiVersionsRequest>(3), 2);
}

TEST(Codec, RequestThatNeedsMoreMemoryThanAdmitted_IsRefused) {
  // Topics without name and partitions: 3 bytes each on the wire, many more in memory.
  ProduceRequest request;
  request.topic_data.resize(100'000);
  const SharedBuffer body = encode(request, 9);
  const auto decoded = decode_request<ProduceRequest>(body, 9);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_THAT(decoded.error().message, HasSubstr("more memory than its size allows"));
}

TEST(Headers, ShorterThanThePrefix_IsAnError) {
  const std::vector<std::uint8_t> bytes(7);
  EXPECT_FALSE(parse_request_prefix(bytes).has_value());
  EXPECT_FALSE(parse_request(SharedBuffer::copy_of(bytes), 1).has_value());
}

TEST(Headers, NullClientIdAndUnknownTags_AreRead) {
  const std::vector<std::uint8_t> bytes{0, 3, 0, 9, 0, 0, 0, 8, 0xff, 0xff, 1, 7, 2, 'x', 'y', 'B'};
  const auto parsed = parse_request(SharedBuffer::copy_of(bytes), 2);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->header.api_key, 3);
  EXPECT_EQ(parsed->header.api_version, 9);
  EXPECT_EQ(parsed->header.correlation_id, 8);
  EXPECT_FALSE(parsed->header.client_id.has_value());
  EXPECT_EQ(as_text(parsed->body), "B");
}

TEST(Headers, ClientIdBeyondTheFrame_IsAnErrorWithItsPath) {
  const std::vector<std::uint8_t> bytes{0, 3, 0, 9, 0, 0, 0, 8, 0, 9, 'a'};
  const auto parsed = parse_request(SharedBuffer::copy_of(bytes), 1);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_THAT(parsed.error().message, HasSubstr("header.client_id: "));
}

TEST(RecordChunks, Equality_LooksAtBytesNotAtCuts) {
  RecordChunks whole(SharedBuffer::copy_of(as_bytes("abcdef")));
  RecordChunks cut(SharedBuffer::copy_of(as_bytes("ab")));
  cut.add(SharedBuffer::copy_of(as_bytes("cdef")));
  EXPECT_EQ(whole, cut);
  EXPECT_EQ(cut.size_bytes(), 6U);
  cut.chunks.back() = SharedBuffer::copy_of(as_bytes("cdeX"));
  EXPECT_FALSE(whole == cut);
}

}  // namespace
}  // namespace tidegate::protocol
