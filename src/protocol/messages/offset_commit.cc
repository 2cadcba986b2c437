#include "tidegate/protocol/messages/offset_commit.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<OffsetCommitRequest>;
template struct Codec<OffsetCommitResponse>;

}  // namespace tidegate::protocol
