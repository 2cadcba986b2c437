#include "tidegate/protocol/messages/incremental_alter_configs.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<IncrementalAlterConfigsRequest>;
template struct Codec<IncrementalAlterConfigsResponse>;

}  // namespace tidegate::protocol
