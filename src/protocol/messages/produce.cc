#include "tidegate/protocol/messages/produce.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<ProduceRequest>;
template struct Codec<ProduceResponse>;

}  // namespace tidegate::protocol
