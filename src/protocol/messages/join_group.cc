#include "tidegate/protocol/messages/join_group.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<JoinGroupRequest>;
template struct Codec<JoinGroupResponse>;

}  // namespace tidegate::protocol
