#include "tidegate/protocol/messages/create_topics.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<CreateTopicsRequest>;
template struct Codec<CreateTopicsResponse>;

}  // namespace tidegate::protocol
