#include "tidegate/protocol/messages/consumer_group_describe.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<ConsumerGroupDescribeRequest>;
template struct Codec<ConsumerGroupDescribeResponse>;

}  // namespace tidegate::protocol
