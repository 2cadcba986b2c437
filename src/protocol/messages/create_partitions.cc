#include "tidegate/protocol/messages/create_partitions.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<CreatePartitionsRequest>;
template struct Codec<CreatePartitionsResponse>;

}  // namespace tidegate::protocol
