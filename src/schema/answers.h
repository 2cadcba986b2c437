// What a registry's answers mean: bodies to values, and statuses to what to do next. Pure; the bodies are
// input from the network and are believed in nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tidegate/base/result.h"
#include "tidegate/schema/http.h"
#include "tidegate/schema/registry.h"

namespace tidegate::schema {

enum class Standing {
  good,       // 2xx
  not_found,  // 404 of the thing that was asked for
  refused,    // the server is well and says no: asking again is no use
  failed,     // try again, elsewhere or later
};
// `problem` says why, without the body's text beyond a short excerpt.
Standing standing_of(const HttpReply& reply, std::string& problem);
// The label of the request counter: from a fixed set.
std::string_view status_label(const HttpReply& reply);

// GET /schemas/ids/{id}/versions
Result<std::vector<std::string>> parse_subjects_of_id(const std::string& body);
// GET /schemas/ids/{id} and GET /subjects/{subject}/versions/{version}
Result<RegisteredSchema> parse_schema(const std::string& body);
// GET /subjects
Result<std::vector<std::string>> parse_subjects(const std::string& body);

}  // namespace tidegate::schema
