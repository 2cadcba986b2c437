#include "rpc/call.h"

#include <algorithm>

namespace tidegate::storage::seaweedmq {
namespace {

const char* code_name(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return "ok";
    case grpc::StatusCode::CANCELLED:
      return "cancelled";
    case grpc::StatusCode::UNKNOWN:
      return "failed";
    case grpc::StatusCode::INVALID_ARGUMENT:
      return "invalid argument";
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return "no answer in time";
    case grpc::StatusCode::NOT_FOUND:
      return "not found";
    case grpc::StatusCode::ALREADY_EXISTS:
      return "already exists";
    case grpc::StatusCode::PERMISSION_DENIED:
      return "permission denied";
    case grpc::StatusCode::UNAUTHENTICATED:
      return "unauthenticated";
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return "resource exhausted";
    case grpc::StatusCode::FAILED_PRECONDITION:
      return "precondition failed";
    case grpc::StatusCode::ABORTED:
      return "aborted";
    case grpc::StatusCode::OUT_OF_RANGE:
      return "out of range";
    case grpc::StatusCode::UNIMPLEMENTED:
      return "not implemented there";
    case grpc::StatusCode::INTERNAL:
      return "internal error";
    case grpc::StatusCode::UNAVAILABLE:
      return "unavailable";
    case grpc::StatusCode::DATA_LOSS:
      return "data loss";
    case grpc::StatusCode::DO_NOT_USE:
      break;
  }
  return "unknown status";
}

}  // namespace

bool CallRegistry::enter(const std::shared_ptr<CallBase>& call) {
  std::lock_guard lock(mutex_);
  if (closed_) return false;
  calls_.emplace(call.get(), call);
  return true;
}

void CallRegistry::leave(const CallBase* call) {
  std::lock_guard lock(mutex_);
  calls_.erase(call);
  if (calls_.empty()) empty_.notify_all();
}

void CallRegistry::close() {
  std::vector<std::shared_ptr<CallBase>> to_cancel;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    for (const auto& [known_as, call] : calls_) {
      if (auto alive = call.lock()) to_cancel.push_back(std::move(alive));
    }
  }
  for (const auto& call : to_cancel) call->context.TryCancel();
  to_cancel.clear();
  std::unique_lock lock(mutex_);
  empty_.wait(lock, [this] { return calls_.empty(); });
}

std::size_t CallRegistry::in_flight() const {
  std::lock_guard lock(mutex_);
  return calls_.size();
}

std::string describe(const grpc::Status& status) {
  constexpr std::size_t kLongest = 200;
  std::string text = code_name(status.error_code());
  if (!status.error_message().empty()) text += ": " + status.error_message().substr(0, kLongest);
  std::replace_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

}  // namespace tidegate::storage::seaweedmq
