#include "tidegate/protocol/messages/alter_configs.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<AlterConfigsRequest>;
template struct Codec<AlterConfigsResponse>;

}  // namespace tidegate::protocol
