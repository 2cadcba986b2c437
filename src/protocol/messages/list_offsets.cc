#include "tidegate/protocol/messages/list_offsets.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<ListOffsetsRequest>;
template struct Codec<ListOffsetsResponse>;

}  // namespace tidegate::protocol
