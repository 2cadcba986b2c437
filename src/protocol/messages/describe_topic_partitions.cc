#include "tidegate/protocol/messages/describe_topic_partitions.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<DescribeTopicPartitionsRequest>;
template struct Codec<DescribeTopicPartitionsResponse>;

}  // namespace tidegate::protocol
