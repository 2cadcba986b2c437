#include "kafka_client.h"

namespace tidegate::app {
namespace {

constexpr std::chrono::seconds kDeadline{10};
constexpr std::size_t kMaxResponseBytes = 64U << 20;

}  // namespace

Result<void> KafkaClient::connect(const HostPort& address) {
  address_ = to_text(address);
  stream_ = boost::asio::ip::tcp::iostream();
  stream_.expires_after(kDeadline);
  stream_.connect(address.host, std::to_string(address.port));
  if (!stream_) return fail(ErrorCode::broker_not_available, address_ + ": " + stream_.error().message());
  // The stream hands over pieces of a request; they are not to wait for one another's acknowledgement.
  boost::system::error_code ignored;
  stream_.socket().set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  return {};
}

Result<SharedBuffer> KafkaClient::exchange(const std::vector<SharedBuffer>& chunks) {
  const auto lost = [this] {
    const auto why = stream_.error() ? stream_.error().message() : "the connection ended";
    return fail(ErrorCode::network_exception, address_ + ": " + why);
  };
  stream_.expires_after(kDeadline);
  std::size_t size = 0;
  for (const auto& chunk : chunks) size += chunk.bytes().size();
  char head[4];
  for (int i = 0; i < 4; ++i) head[i] = static_cast<char>(size >> (24 - 8 * i));
  stream_.write(head, sizeof head);
  for (const auto& chunk : chunks) {
    const auto text = as_text(chunk.bytes());
    stream_.write(text.data(), static_cast<std::streamsize>(text.size()));
  }
  stream_.flush();
  stream_.read(head, sizeof head);
  if (!stream_) return lost();
  std::size_t length = 0;
  for (const char byte : head) length = length << 8U | static_cast<unsigned char>(byte);
  if (length > kMaxResponseBytes)
    return fail(ErrorCode::network_exception, address_ + ": not a Kafka broker's answer");
  MutableBuffer body(length);
  stream_.read(reinterpret_cast<char*>(body.data()), static_cast<std::streamsize>(length));
  if (!stream_) return lost();
  return std::move(body).freeze();
}

}  // namespace tidegate::app
