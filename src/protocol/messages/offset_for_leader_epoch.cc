#include "tidegate/protocol/messages/offset_for_leader_epoch.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<OffsetForLeaderEpochRequest>;
template struct Codec<OffsetForLeaderEpochResponse>;

}  // namespace tidegate::protocol
