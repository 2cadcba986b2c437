#include "tidegate/protocol/messages/list_config_resources.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<ListConfigResourcesRequest>;
template struct Codec<ListConfigResourcesResponse>;

}  // namespace tidegate::protocol
