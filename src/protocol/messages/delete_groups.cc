#include "tidegate/protocol/messages/delete_groups.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<DeleteGroupsRequest>;
template struct Codec<DeleteGroupsResponse>;

}  // namespace tidegate::protocol
