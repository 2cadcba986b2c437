#include "known_files.h"

#include <array>
#include <string>

#include <google/protobuf/any.pb.h>
#include <google/protobuf/api.pb.h>
#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/source_context.pb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/type.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include "tidegate/base/assert.h"

namespace tidegate::schema::protobuf {
namespace {

namespace pb = google::protobuf;

struct KnownText {
  std::string_view name;
  std::string_view text;  // behind its syntax
};
// Names and numbers are facts of the wire; options and comments are not needed.
constexpr std::array kTexts = {
    KnownText{"confluent/meta.proto", R"(package confluent; import "google/protobuf/descriptor.proto";
      message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3;
        repeated Rule rules = 4; }
      message Rule { string name = 1; string doc = 2; string expr = 3; string sql = 4; }
      extend google.protobuf.FileOptions { Meta file_meta = 1088; }
      extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
      extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
      extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
      extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; })"},
    KnownText{"confluent/type/decimal.proto", R"(package confluent.type;
      message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; })"},
    KnownText{"confluent/types/decimal.proto", R"(import public "confluent/type/decimal.proto";)"},
    KnownText{"confluent/type/variant.proto", R"(package confluent.type;
      message Variant { bytes metadata = 1; bytes value = 2; })"},
    KnownText{"google/type/calendar_period.proto", R"(package google.type;
      enum CalendarPeriod { CALENDAR_PERIOD_UNSPECIFIED = 0; DAY = 1; WEEK = 2; FORTNIGHT = 3; MONTH = 4;
        QUARTER = 5; HALF = 6; YEAR = 7; })"},
    KnownText{"google/type/color.proto", R"(package google.type; import "google/protobuf/wrappers.proto";
      message Color { float red = 1; float green = 2; float blue = 3;
        google.protobuf.FloatValue alpha = 4; })"},
    KnownText{"google/type/date.proto", R"(package google.type;
      message Date { int32 year = 1; int32 month = 2; int32 day = 3; })"},
    KnownText{"google/type/datetime.proto", R"(package google.type;
      import "google/protobuf/duration.proto";
      message DateTime { int32 year = 1; int32 month = 2; int32 day = 3; int32 hours = 4; int32 minutes = 5;
        int32 seconds = 6; int32 nanos = 7;
        oneof time_offset { google.protobuf.Duration utc_offset = 8; TimeZone time_zone = 9; } }
      message TimeZone { string id = 1; string version = 2; })"},
    KnownText{"google/type/dayofweek.proto", R"(package google.type;
      enum DayOfWeek { DAY_OF_WEEK_UNSPECIFIED = 0; MONDAY = 1; TUESDAY = 2; WEDNESDAY = 3; THURSDAY = 4;
        FRIDAY = 5; SATURDAY = 6; SUNDAY = 7; })"},
    KnownText{"google/type/decimal.proto", R"(package google.type; message Decimal { string value = 1; })"},
    KnownText{"google/type/expr.proto", R"(package google.type;
      message Expr { string expression = 1; string title = 2; string description = 3; string location = 4; })"},
    KnownText{"google/type/fraction.proto", R"(package google.type;
      message Fraction { int64 numerator = 1; int64 denominator = 2; })"},
    KnownText{"google/type/interval.proto", R"(package google.type;
      import "google/protobuf/timestamp.proto";
      message Interval { google.protobuf.Timestamp start_time = 1; google.protobuf.Timestamp end_time = 2; })"},
    KnownText{"google/type/latlng.proto", R"(package google.type;
      message LatLng { double latitude = 1; double longitude = 2; })"},
    KnownText{"google/type/localized_text.proto", R"(package google.type;
      message LocalizedText { string text = 1; string language_code = 2; })"},
    KnownText{"google/type/money.proto", R"(package google.type;
      message Money { string currency_code = 1; int64 units = 2; int32 nanos = 3; })"},
    KnownText{"google/type/month.proto", R"(package google.type;
      enum Month { MONTH_UNSPECIFIED = 0; JANUARY = 1; FEBRUARY = 2; MARCH = 3; APRIL = 4; MAY = 5; JUNE = 6;
        JULY = 7; AUGUST = 8; SEPTEMBER = 9; OCTOBER = 10; NOVEMBER = 11; DECEMBER = 12; })"},
    KnownText{"google/type/phone_number.proto", R"(package google.type;
      message PhoneNumber { message ShortCode { string region_code = 1; string number = 2; }
        oneof kind { string e164_number = 1; ShortCode short_code = 2; } string extension = 3; })"},
    KnownText{"google/type/postal_address.proto", R"(package google.type;
      message PostalAddress { int32 revision = 1; string region_code = 2; string language_code = 3;
        string postal_code = 4; string sorting_code = 5; string administrative_area = 6; string locality = 7;
        string sublocality = 8; repeated string address_lines = 9; repeated string recipients = 10;
        string organization = 11; })"},
    KnownText{"google/type/quaternion.proto", R"(package google.type;
      message Quaternion { double x = 1; double y = 2; double z = 3; double w = 4; })"},
    KnownText{"google/type/timeofday.proto", R"(package google.type;
      message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; })"},
};

pb::FileDescriptorProto parsed(const KnownText& known) {
  const std::string text = R"(syntax = "proto3"; )" + std::string(known.text);
  pb::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  pb::io::Tokenizer tokens(&stream, nullptr);
  pb::FileDescriptorProto file;
  file.set_name(std::string(known.name));
  const bool good = pb::compiler::Parser().Parse(&tokens, &file);
  TIDEGATE_ASSERT(good);
  return file;
}

}  // namespace

std::optional<pb::FileDescriptorProto> known_file(std::string_view name) {
  for (const KnownText& known : kTexts) {
    if (known.name == name) return parsed(known);
  }
  const std::array files = {pb::Any::descriptor()->file(),
                            pb::Api::descriptor()->file(),
                            pb::DescriptorProto::descriptor()->file(),
                            pb::Duration::descriptor()->file(),
                            pb::Empty::descriptor()->file(),
                            pb::FieldMask::descriptor()->file(),
                            pb::SourceContext::descriptor()->file(),
                            pb::Struct::descriptor()->file(),
                            pb::Timestamp::descriptor()->file(),
                            pb::Type::descriptor()->file(),
                            pb::DoubleValue::descriptor()->file()};
  for (const pb::FileDescriptor* file : files) {
    if (file->name() != name) continue;
    pb::FileDescriptorProto copy;
    file->CopyTo(&copy);
    return copy;
  }
  return std::nullopt;
}

}  // namespace tidegate::schema::protobuf
