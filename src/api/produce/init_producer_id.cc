// InitProducerId (key 22): an id for an idempotent producer. Transactional ids are refused until there
// are transactions.
#include <utility>

#include "handler.h"
#include "rows.h"
#include "tidegate/broker/broker.h"
#include "tidegate/broker/producer_ids.h"
#include "tidegate/protocol/messages/init_producer_id.h"

namespace tidegate::api {
namespace {

using Request = protocol::InitProducerIdRequest;
using Response = protocol::InitProducerIdResponse;

// What is wrong with the request itself.
ErrorCode check(const Request& request) {
  if (request.transactional_id && request.transactional_id->empty()) return ErrorCode::invalid_request;
  // KIP-360: the id and epoch that the producer had, both or neither.
  if ((request.producer_id == -1) != (request.producer_epoch == -1)) return ErrorCode::invalid_request;
  if (request.transactional_id) return ErrorCode::transactional_id_authorization_failed;
  return ErrorCode::none;
}

Task<Response> handle(RequestContextPtr context, Request request) {
  Response response;
  response.producer_epoch = -1;
  response.error_code = check(request);
  if (response.error_code != ErrorCode::none) co_return response;
  // An idempotent producer that comes with an id has used up its epochs or lost its way: as in Kafka it
  // gets a fresh id, under which no sequence can be mistaken for an older one.
  auto id = co_await context->broker->producer_ids().next();
  if (!id) {
    response.error_code = id.error().code;
    co_return response;
  }
  response.producer_id = *id;
  response.producer_epoch = 0;
  co_return response;
}

}  // namespace

ApiRow init_producer_id_row() {
  return make_row<Request, handle>({.name = "InitProducerId", .lane = RequestLane::ordered});
}

}  // namespace tidegate::api
