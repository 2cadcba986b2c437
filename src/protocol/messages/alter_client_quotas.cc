#include "tidegate/protocol/messages/alter_client_quotas.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<AlterClientQuotasRequest>;
template struct Codec<AlterClientQuotasResponse>;

}  // namespace tidegate::protocol
