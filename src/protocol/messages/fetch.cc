#include "tidegate/protocol/messages/fetch.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<FetchRequest>;
template struct Codec<FetchResponse>;

}  // namespace tidegate::protocol
