#include "tidegate/protocol/messages/consumer_group_heartbeat.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<ConsumerGroupHeartbeatRequest>;
template struct Codec<ConsumerGroupHeartbeatResponse>;

}  // namespace tidegate::protocol
