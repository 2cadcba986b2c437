#include "tidegate/protocol/messages/metadata.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<MetadataRequest>;
template struct Codec<MetadataResponse>;

}  // namespace tidegate::protocol
