#include "tidegate/protocol/messages/leave_group.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<LeaveGroupRequest>;
template struct Codec<LeaveGroupResponse>;

}  // namespace tidegate::protocol
