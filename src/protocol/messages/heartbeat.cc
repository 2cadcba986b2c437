#include "tidegate/protocol/messages/heartbeat.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<HeartbeatRequest>;
template struct Codec<HeartbeatResponse>;

}  // namespace tidegate::protocol
