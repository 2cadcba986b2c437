#include "tidegate/protocol/messages/elect_leaders.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<ElectLeadersRequest>;
template struct Codec<ElectLeadersResponse>;

}  // namespace tidegate::protocol
