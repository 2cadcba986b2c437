// Our messages against Apache Kafka's own client: bytes, definitions and error codes.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "golden/vectors.h"
#include "tidegate/base/error_code.h"
#include "tidegate/protocol/headers.h"

namespace tidegate::protocol {
namespace {

using test::golden_vectors;
using test::GoldenVector;

std::string title(const GoldenVector& vector) {
  return fmt::format("{} v{}", vector.message, vector.version);
}

// The body behind the header, which must say what the vector says.
SharedBuffer body_of(const GoldenVector& vector) {
  const std::int16_t header_version = vector.type->header_version(vector.version);
  if (!vector.type->is_request) {
    const auto parsed = parse_response(vector.frame, header_version);
    EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
    EXPECT_EQ(parsed->correlation_id, vector.correlation_id);
    return parsed->body;
  }
  const auto parsed = parse_request(vector.frame, header_version);
  EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->header.api_key, vector.type->api_key);
  EXPECT_EQ(parsed->header.api_version, vector.version);
  EXPECT_EQ(parsed->header.correlation_id, vector.correlation_id);
  EXPECT_EQ(parsed->header.client_id, vector.client_id);
  return parsed->body;
}

SharedBuffer header_of(const GoldenVector& vector) {
  const std::int16_t header_version = vector.type->header_version(vector.version);
  if (vector.type->is_request) {
    return request_header({vector.type->api_key, vector.version, vector.correlation_id, vector.client_id},
                          header_version);
  }
  return SharedBuffer::copy_of(response_header(vector.correlation_id, header_version).view());
}

TEST(Golden, EveryMessageAndVersion_HasVectors) {
  std::map<std::pair<std::string, std::int16_t>, int> seen;
  for (const GoldenVector& vector : golden_vectors()) {
    ASSERT_NE(vector.type, nullptr) << vector.message;
    ++seen[{vector.message, vector.version}];
  }
  std::size_t versions = 0;
  for (const testkit::MessageType& type : testkit::message_types()) {
    for (std::int16_t version = type.versions.min; version <= type.versions.max; ++version, ++versions) {
      EXPECT_GE((seen[{type.name, version}]), 9) << type.name << " v" << version;
    }
  }
  EXPECT_EQ(seen.size(), versions) << "vectors of a version that no message declares";
}

TEST(Golden, DecodedMessages_SayWhatKafkaSays) {
  for (const GoldenVector& vector : golden_vectors()) {
    SCOPED_TRACE(title(vector));
    const auto decoded = vector.type->decode(body_of(vector), vector.version);
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
    ASSERT_EQ(nlohmann::json::parse((*decoded)->to_json(vector.version)), vector.body);
  }
}

TEST(Golden, EncodedMessages_AreByteEqual) {
  std::size_t compared = 0;
  for (const GoldenVector& vector : golden_vectors()) {
    if (vector.unknown_tags) continue;
    SCOPED_TRACE(title(vector));
    const auto decoded = vector.type->decode(body_of(vector), vector.version);
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
    Encoded encoded = (*decoded)->encode(vector.version);
    ASSERT_EQ(encoded.problem, "");
    encoded.chunks.insert(encoded.chunks.begin(), header_of(vector));
    ASSERT_EQ(testkit::join(encoded.chunks), vector.frame);
    ++compared;
  }
  EXPECT_GT(compared, 2'500U);
}

TEST(Golden, EveryTruncation_FailsCleanly) {
  for (const GoldenVector& vector : golden_vectors()) {
    SCOPED_TRACE(title(vector));
    const SharedBuffer body = body_of(vector);
    for (std::size_t length = 0; length < body.size(); ++length) {
      // A copy of its own, so that a read behind the end is seen by the address sanitizer.
      const SharedBuffer cut = SharedBuffer::copy_of(body.bytes().first(length));
      ASSERT_FALSE(vector.type->try_decode(cut, vector.version))
          << "cut to " << length << " of " << body.size();
    }
  }
}

TEST(Golden, Schema_EqualsKafkasDefinitions) {
  std::istringstream expected(test::read_golden_text("schema.txt"));
  std::string ours;
  for (const testkit::MessageType& type : testkit::message_types()) ours += type.schema();
  std::istringstream actual(ours);
  std::string expected_line, actual_line, message;
  int lines = 0;
  while (std::getline(expected, expected_line)) {
    ++lines;
    if (expected_line.front() != ' ') message = expected_line;
    ASSERT_TRUE(std::getline(actual, actual_line)) << message;
    EXPECT_EQ(actual_line, expected_line) << "in " << message;
  }
  EXPECT_FALSE(std::getline(actual, actual_line)) << actual_line;
  EXPECT_GT(lines, 300);
}

TEST(Golden, ErrorCodes_EqualKafkasTable) {
  std::string ours;
  for (const ErrorCodeInfo& info : error_code_table()) {
    ours += fmt::format("{} {}{}{}\n", static_cast<int>(info.code), info.name,
                        info.retriable ? " retriable" : "", info.refresh_metadata ? " refresh_metadata" : "");
  }
  EXPECT_EQ(ours, test::read_golden_text("errors.txt"));
}

}  // namespace
}  // namespace tidegate::protocol
