#include "tidegate/protocol/messages/delete_topics.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<DeleteTopicsRequest>;
template struct Codec<DeleteTopicsResponse>;

}  // namespace tidegate::protocol
