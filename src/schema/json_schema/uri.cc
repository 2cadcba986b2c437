#include "uri.h"

#include <charconv>
#include <vector>

namespace tidegate::schema::json_schema {
namespace {

struct Parts {
  std::string_view scheme;     // with its colon
  std::string_view authority;  // with its slashes
  std::string_view path;
  std::string_view query;  // with its question mark
};

Parts split(std::string_view uri) {
  Parts parts;
  if (const auto colon = uri.find_first_of(":/?"); colon != std::string_view::npos && uri[colon] == ':') {
    parts.scheme = uri.substr(0, colon + 1);
    uri.remove_prefix(colon + 1);
  }
  if (uri.starts_with("//")) {
    const auto end = uri.find_first_of("/?", 2);
    parts.authority = uri.substr(0, end);
    uri.remove_prefix(parts.authority.size());
  }
  const auto query = uri.find('?');
  parts.path = uri.substr(0, query);
  if (query != std::string_view::npos) parts.query = uri.substr(query);
  return parts;
}

std::string without_dots(std::string_view path) {
  std::vector<std::string_view> kept;
  const bool absolute = path.starts_with('/');
  if (absolute) path.remove_prefix(1);
  for (bool more = true; more;) {
    const auto slash = path.find('/');
    more = slash != std::string_view::npos;
    const std::string_view part = path.substr(0, slash);
    if (more) path.remove_prefix(slash + 1);
    const bool dots = part == "." || part == "..";
    if (part == ".." && !kept.empty()) kept.pop_back();
    if (!dots) kept.push_back(part);
    if (dots && !more) kept.emplace_back();
  }
  std::string out;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (i > 0 || absolute) out += '/';
    out += kept[i];
  }
  return out;
}

}  // namespace

std::string resolve_uri(std::string_view base, std::string_view reference) {
  const auto hash = reference.find('#');
  const std::string fragment(hash == std::string_view::npos ? std::string_view() : reference.substr(hash));
  reference = reference.substr(0, hash);
  if (reference.empty()) return std::string(base) + fragment;
  const Parts to = split(reference);
  if (!to.scheme.empty()) return std::string(reference) + fragment;
  const Parts from = split(base);
  std::string out(from.scheme);
  if (!to.authority.empty()) return out.append(reference) + fragment;
  out += from.authority;
  if (to.path.empty()) return out.append(from.path).append(to.query) + fragment;
  if (to.path.starts_with('/')) return out + without_dots(to.path) + std::string(to.query) + fragment;
  const auto slash = from.path.rfind('/');
  std::string merged;
  if (slash != std::string_view::npos) {
    merged = from.path.substr(0, slash + 1);
  } else if (!from.authority.empty()) {
    merged = "/";
  }
  merged += to.path;
  return out + without_dots(merged) + std::string(to.query) + fragment;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    if (text[i] == '%' && i + 2 < text.size()) {
      const char* end = text.data() + i + 3;
      if (std::from_chars(text.data() + i + 1, end, byte, 16).ptr == end) {
        out += static_cast<char>(byte);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

}  // namespace tidegate::schema::json_schema
