#include "tidegate/protocol/messages/list_groups.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<ListGroupsRequest>;
template struct Codec<ListGroupsResponse>;

}  // namespace tidegate::protocol
