#include "tidegate/protocol/messages/init_producer_id.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<InitProducerIdRequest>;
template struct Codec<InitProducerIdResponse>;

}  // namespace tidegate::protocol
