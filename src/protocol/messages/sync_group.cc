#include "tidegate/protocol/messages/sync_group.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<SyncGroupRequest>;
template struct Codec<SyncGroupResponse>;

}  // namespace tidegate::protocol
