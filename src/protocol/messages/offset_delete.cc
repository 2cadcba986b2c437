#include "tidegate/protocol/messages/offset_delete.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<OffsetDeleteRequest>;
template struct Codec<OffsetDeleteResponse>;

}  // namespace tidegate::protocol
