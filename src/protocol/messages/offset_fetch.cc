#include "tidegate/protocol/messages/offset_fetch.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<OffsetFetchRequest>;
template struct Codec<OffsetFetchResponse>;

}  // namespace tidegate::protocol
