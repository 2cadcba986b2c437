#include "tidegate/protocol/messages/describe_client_quotas.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<DescribeClientQuotasRequest>;
template struct Codec<DescribeClientQuotasResponse>;

}  // namespace tidegate::protocol
