// ListPartitionReassignments (key 46): none. A partition stays where it is, and Kafka too says nothing of
// partitions that do not move, whether they exist or not.
#include "tidegate/protocol/messages/list_partition_reassignments.h"

#include "../handler.h"
#include "../rows_operations.h"

namespace tidegate::api {
namespace {

using Request = protocol::ListPartitionReassignmentsRequest;
using Response = protocol::ListPartitionReassignmentsResponse;

Task<Response> handle(RequestContextPtr, Request) {
  Response response;
  response.error_message = std::nullopt;
  co_return response;
}

}  // namespace

ApiRow list_partition_reassignments_row() {
  return make_row<Request, handle>({.name = "ListPartitionReassignments"});
}

}  // namespace tidegate::api
