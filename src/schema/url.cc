// The little that is done to URLs here; libcurl parses them for good.
#include <fmt/format.h>

#include "tidegate/schema/registry.h"

namespace tidegate::schema {
namespace {

constexpr std::size_t kMaxUrlBytes = 2048;

std::size_t scheme_bytes(std::string_view url) {
  if (url.starts_with("http://")) return 7;
  if (url.starts_with("https://")) return 8;
  return 0;
}

// Where the host begins: behind "user:password@", which ends at the last '@' before the path.
std::size_t host_begin(std::string_view url) {
  const std::size_t begin = scheme_bytes(url);
  const std::size_t end = std::min(url.find('/', begin), url.size());
  const std::size_t at = url.substr(0, end).rfind('@');
  return at == std::string_view::npos || at < begin ? begin : at + 1;
}

std::unexpected<Error> bad_url(std::string_view why) {
  return fail(ErrorCode::invalid_config, fmt::format("schema.registry.url has an entry that {}.", why));
}

}  // namespace

Result<std::string> check_registry_url(std::string_view url) {
  if (url.size() > kMaxUrlBytes) return bad_url("is longer than 2048 bytes");
  for (const char c : url) {
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      return bad_url("has blanks, control characters or letters outside ASCII");
    }
  }
  if (scheme_bytes(url) == 0) return bad_url("does not begin with http:// or https://");
  if (url.find_first_of("?#") != std::string_view::npos) return bad_url("has a query or a fragment");
  const std::size_t host = host_begin(url);
  // DescribeConfigs and the log show the URL.
  if (host != scheme_bytes(url))
    return bad_url("has a password; schema.registry.basic.auth.user.info is for that");
  if (host == url.size() || url[host] == '/' || url[host] == ':') return bad_url("names no host");
  while (url.ends_with('/')) url.remove_suffix(1);
  return std::string(url);
}

std::string without_credentials(std::string_view url) {
  return std::string(url.substr(0, scheme_bytes(url))) + std::string(url.substr(host_begin(url)));
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace tidegate::schema
