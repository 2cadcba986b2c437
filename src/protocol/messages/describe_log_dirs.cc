#include "tidegate/protocol/messages/describe_log_dirs.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<DescribeLogDirsRequest>;
template struct Codec<DescribeLogDirsResponse>;

}  // namespace tidegate::protocol
