// The token a volume server wants where jwt.signing is configured: HS256 over {"exp", "fid"}. We sign our
// own, one for each file id, when we know the key; the one that comes with an assignment names the first
// id of its block only. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate::storage::seaweedmq {

std::string sign_file_token(std::string_view key, std::string_view file_id, std::int64_t expires_at_s);

}  // namespace tidegate::storage::seaweedmq
