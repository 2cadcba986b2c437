#include "tidegate/protocol/messages/api_versions.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<ApiVersionsRequest>;
template struct Codec<ApiVersionsResponse>;

}  // namespace tidegate::protocol
