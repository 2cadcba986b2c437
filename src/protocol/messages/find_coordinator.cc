#include "tidegate/protocol/messages/find_coordinator.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<FindCoordinatorRequest>;
template struct Codec<FindCoordinatorResponse>;

}  // namespace tidegate::protocol
