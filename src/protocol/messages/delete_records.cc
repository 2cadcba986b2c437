#include "tidegate/protocol/messages/delete_records.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<DeleteRecordsRequest>;
template struct Codec<DeleteRecordsResponse>;

}  // namespace tidegate::protocol
