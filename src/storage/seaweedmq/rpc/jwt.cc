#include "rpc/jwt.h"

#include <array>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace tidegate::storage::seaweedmq {
namespace {

// Without padding, as JWS has it.
std::string base64url(std::string_view bytes) {
  constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<std::uint8_t>(c);
    for (held += 8; held >= 6; held -= 6) out.push_back(letters[(bits >> (held - 6)) & 63]);
  }
  if (held > 0) out.push_back(letters[(bits << (6 - held)) & 63]);
  return out;
}

}  // namespace

std::string sign_file_token(std::string_view key, std::string_view file_id, std::int64_t expires_at_s) {
  // A file id is digits, hex digits and a comma: nothing in it needs an escape.
  std::string claims = R"({"fid":")";
  claims.append(file_id).append(R"(","exp":)").append(std::to_string(expires_at_s)).append("}");
  std::string token = base64url(R"({"alg":"HS256","typ":"JWT"})") + "." + base64url(claims);
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned mac_size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(token.data()), token.size(), mac.data(), &mac_size);
  token.push_back('.');
  return token + base64url({reinterpret_cast<const char*>(mac.data()), mac_size});
}

}  // namespace tidegate::storage::seaweedmq
