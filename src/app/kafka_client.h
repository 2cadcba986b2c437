// A small Kafka client for commands of our own: one request at a time, a deadline for each, no threads.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <string>

#include "listeners.h"
#include "tidegate/protocol/codec.h"

namespace tidegate::app {

class KafkaClient {
 public:
  // broker_not_available when nobody answers there within the deadline.
  Result<void> connect(const HostPort& address);

  // network_exception when the connection ends or the deadline passes; then connect() again.
  template <class Response, class Request>
  Result<Response> call(const Request& request, std::int16_t version) {
    auto frame =
        exchange(protocol::encode_request(request, version, ++correlation_id_, std::string("tidegate")));
    if (!frame) return fail(std::move(frame.error()));
    auto decoded = protocol::decode_response<Response>(*frame, version);
    if (!decoded) return fail(std::move(decoded.error()));
    if (decoded->correlation_id != correlation_id_) {
      return fail(ErrorCode::network_exception, "the answer is to another request");
    }
    return std::move(decoded->response);
  }

 private:
  Result<SharedBuffer> exchange(const std::vector<SharedBuffer>& chunks);

  boost::asio::ip::tcp::iostream stream_;
  std::string address_;
  std::int32_t correlation_id_ = 0;
};

}  // namespace tidegate::app
