#include "tidegate/protocol/messages/list_partition_reassignments.h"

#include "visitors/codec_impl.h"

namespace tidegate::protocol {

template struct Codec<ListPartitionReassignmentsRequest>;
template struct Codec<ListPartitionReassignmentsResponse>;

}  // namespace tidegate::protocol
