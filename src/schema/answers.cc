#include "answers.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tidegate::schema {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 16;  // of an answer; schemas are strings within
constexpr std::size_t kMaxReferences = 1000;
constexpr std::size_t kMaxExcerptBytes = 200;

// nullopt-like: a discarded value for what is no JSON or too deep.
json parse(const std::string& body) {
  bool too_deep = false;
  const auto watch = [&too_deep](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  json value = json::parse(body, watch, false);
  return too_deep ? json(json::value_t::discarded) : value;
}

const json* member(const json& object, const char* name) {
  const auto at = object.find(name);
  return at == object.end() ? nullptr : &*at;
}

std::unexpected<Error> not_understood(std::string_view what) {
  return fail(ErrorCode::unknown_server_error, fmt::format("the registry's answer is no {}", what));
}

std::string printable(std::string_view text) {
  std::string out(text.substr(0, kMaxExcerptBytes));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  return out;
}

struct ToldError {
  std::int64_t code = 0;
  std::string message;
};

ToldError told_error(const std::string& body) {
  ToldError told;
  const json value = parse(body);
  if (!value.is_object()) return told;
  if (const json* code = member(value, "error_code"); code != nullptr && code->is_number_integer()) {
    told.code = code->get<std::int64_t>();
  }
  if (const json* message = member(value, "message"); message != nullptr && message->is_string()) {
    told.message = printable(message->get_ref<const std::string&>());
  }
  return told;
}

// Subject, version or schema not found. A 404 without one of these is an address that this registry does
// not have (Apicurio says error_code 0 there, a web server says HTML).
bool names_a_missing_thing(std::int64_t code) { return code >= 40401 && code <= 40403; }

Result<SchemaType> type_of(const json& value) {
  const json* type = member(value, "schemaType");
  if (type == nullptr || type->is_null()) return SchemaType::avro;
  if (type->is_string()) {
    const auto& name = type->get_ref<const std::string&>();
    if (name == "AVRO") return SchemaType::avro;
    if (name == "PROTOBUF") return SchemaType::protobuf;
    if (name == "JSON") return SchemaType::json;
  }
  return not_understood("schema of a known type");
}

Result<std::vector<std::string>> strings_of(const json& list, std::string_view what) {
  if (!list.is_array()) return not_understood(what);
  std::vector<std::string> strings;
  strings.reserve(list.size());
  for (const json& item : list) {
    if (!item.is_string()) return not_understood(what);
    strings.push_back(item.get<std::string>());
  }
  return strings;
}

}  // namespace

Standing standing_of(const HttpReply& reply, std::string& problem) {
  if (reply.status == 0) {
    problem = printable(reply.problem);
    return Standing::failed;
  }
  if (reply.status >= 200 && reply.status < 300) return Standing::good;
  const ToldError told = told_error(reply.body);
  problem = told.message.empty() ? fmt::format("status {}", reply.status)
                                 : fmt::format("status {}: {}", reply.status, told.message);
  if (reply.status == 404 && names_a_missing_thing(told.code)) return Standing::not_found;
  const bool again = reply.status >= 500 || reply.status == 429 || reply.status == 408;
  return again ? Standing::failed : Standing::refused;
}

std::string_view status_label(const HttpReply& reply) {
  switch (reply.failure) {
    case HttpReply::Failure::none:
      break;
    case HttpReply::Failure::no_connection:
      return "no_connection";
    case HttpReply::Failure::timed_out:
      return "timed_out";
    case HttpReply::Failure::too_large:
      return "too_large";
    case HttpReply::Failure::tls:
      return "tls";
    case HttpReply::Failure::stopped:
    case HttpReply::Failure::other:
      return "other";
  }
  if (reply.status >= 200 && reply.status < 300) return "2xx";
  if (reply.status == 404) return "404";
  if (reply.status == 429) return "429";
  if (reply.status == 401 || reply.status == 403) return "denied";
  if (reply.status >= 400 && reply.status < 500) return "4xx";
  return reply.status >= 500 ? "5xx" : "other";
}

Result<std::vector<std::string>> parse_subjects_of_id(const std::string& body) {
  const json value = parse(body);
  if (!value.is_array()) return not_understood("list of versions");
  std::vector<std::string> subjects;
  for (const json& item : value) {
    const json* subject = item.is_object() ? member(item, "subject") : nullptr;
    if (subject == nullptr || !subject->is_string()) return not_understood("list of versions");
    subjects.push_back(subject->get<std::string>());
  }
  return subjects;
}

Result<RegisteredSchema> parse_schema(const std::string& body) {
  const json value = parse(body);
  const json* text = value.is_object() ? member(value, "schema") : nullptr;
  if (text == nullptr || !text->is_string()) return not_understood("schema");
  auto type = type_of(value);
  if (!type) return fail(std::move(type.error()));
  RegisteredSchema schema{.type = *type, .text = text->get<std::string>(), .references = {}};
  const json* references = member(value, "references");
  if (references == nullptr || references->is_null()) return schema;
  if (!references->is_array() || references->size() > kMaxReferences)
    return not_understood("list of references");
  for (const json& each : *references) {
    const json* name = each.is_object() ? member(each, "name") : nullptr;
    const json* subject = each.is_object() ? member(each, "subject") : nullptr;
    const json* version = each.is_object() ? member(each, "version") : nullptr;
    if (name == nullptr || !name->is_string() || subject == nullptr || !subject->is_string() ||
        version == nullptr || !version->is_number_unsigned() ||
        !std::in_range<std::int32_t>(version->get<std::uint64_t>())) {
      return not_understood("list of references");
    }
    schema.references.push_back(
        {name->get<std::string>(), subject->get<std::string>(), version->get<std::int32_t>()});
  }
  return schema;
}

Result<std::vector<std::string>> parse_subjects(const std::string& body) {
  auto subjects = strings_of(parse(body), "list of subjects");
  if (subjects) std::ranges::sort(*subjects);
  return subjects;
}

}  // namespace tidegate::schema
