// FilerClient: locks, volumes and what a filer says of itself. A lock call is never repeated: a renewal whose
// answer was lost has already made the token that we hold a dead one.
#include <utility>

#include "rpc/filer_call.h"
#include "rpc/filer_client.h"

namespace tidegate::storage::seaweedmq {
namespace {

using detail::storage_error;
using filer_pb::SeaweedFiler;
using Async = SeaweedFiler::StubInterface::async_interface;

// Refusals come as text. Anything else in the body (a filer that could not reach the one that owns the
// lock) leaves the outcome open.
bool says_refused(const std::string& error) {
  for (const char* text : {"lock already owned", "token mismatch", "non-empty token"}) {
    if (error.find(text) != std::string::npos) return true;
  }
  return false;
}

// What the master books on a volume for each id until the next heartbeats say what is really there; without a
// word from us a megabyte.
constexpr std::uint64_t kExpectedChunkBytes = 64U << 10;

}  // namespace

Task<Result<LockAnswer>> FilerClient::lock(std::string name, std::int64_t seconds, std::string owner,
                                           std::string token) {
  filer_pb::LockRequest request;
  request.set_name(std::move(name));
  request.set_seconds_to_lock(seconds);
  request.set_owner(std::move(owner));
  request.set_renew_token(std::move(token));
  constexpr Method method = Method::lock;
  auto answer = co_await call<filer_pb::LockRequest, filer_pb::LockResponse>(method, &Async::DistributedLock,
                                                                             std::move(request), false);
  if (!answer) co_return fail(std::move(answer.error()));
  if (!answer->status.ok()) co_return storage_error(method, answer->status);
  const auto& response = answer->response;
  LockAnswer out;
  // A first acquisition names no owner: no error and a token are what makes it one.
  if (response.error().empty() && !response.renew_token().empty()) {
    out.granted = true;
    out.token = response.renew_token();
    out.generation = response.generation();
    co_return std::move(out);
  }
  if (!says_refused(response.error())) co_return storage_error(method, response.error());
  out.owner = response.lock_owner();
  co_return std::move(out);
}

Task<Result<bool>> FilerClient::unlock(std::string name, std::string token) {
  filer_pb::UnlockRequest request;
  request.set_name(std::move(name));
  request.set_renew_token(std::move(token));
  constexpr Method method = Method::unlock;
  auto answer = co_await call<filer_pb::UnlockRequest, filer_pb::UnlockResponse>(
      method, &Async::DistributedUnlock, std::move(request), false);
  if (!answer) co_return fail(std::move(answer.error()));
  if (!answer->status.ok()) co_return storage_error(method, answer->status);
  const std::string& error = answer->response.error();
  if (error.empty()) co_return true;
  if (error.find("mismatch") != std::string::npos) co_return false;
  co_return storage_error(method, error);
}

Task<Result<std::optional<std::string>>> FilerClient::lock_owner(std::string name) {
  filer_pb::FindLockOwnerRequest request;
  request.set_name(std::move(name));
  constexpr Method method = Method::find_lock_owner;
  auto answer = co_await call<filer_pb::FindLockOwnerRequest, filer_pb::FindLockOwnerResponse>(
      method, &Async::FindLockOwner, std::move(request), true);
  if (!answer) co_return fail(std::move(answer.error()));
  if (answer->status.error_code() == grpc::StatusCode::NOT_FOUND) co_return std::nullopt;
  if (!answer->status.ok()) co_return storage_error(method, answer->status);
  if (answer->response.owner().empty()) co_return std::nullopt;
  co_return answer->response.owner();
}

Task<Result<AssignedBlock>> FilerClient::assign(std::string path, std::size_t count,
                                                std::string replication) {
  filer_pb::AssignVolumeRequest request;
  request.set_path(std::move(path));
  request.set_count(static_cast<std::int32_t>(count));
  request.set_replication(std::move(replication));
  request.set_expected_data_size(kExpectedChunkBytes);
  constexpr Method method = Method::assign_volume;
  auto answer = co_await call<filer_pb::AssignVolumeRequest, filer_pb::AssignVolumeResponse>(
      method, &Async::AssignVolume, std::move(request), true);
  if (!answer) co_return fail(std::move(answer.error()));
  if (!answer->status.ok()) co_return storage_error(method, answer->status);
  const auto& response = answer->response;
  if (!response.error().empty()) co_return storage_error(method, response.error());
  AssignedBlock block;
  block.first_file_id = response.file_id();
  block.count = response.count() > 0 ? static_cast<std::size_t>(response.count()) : 1;
  block.url = response.location().url();
  block.authorization = response.auth();
  co_return std::move(block);
}

Task<Result<std::vector<std::string>>> FilerClient::volume_locations(std::uint32_t volume) {
  filer_pb::LookupVolumeRequest request;
  const std::string id = std::to_string(volume);
  request.add_volume_ids(id);
  constexpr Method method = Method::lookup_volume;
  auto answer = co_await call<filer_pb::LookupVolumeRequest, filer_pb::LookupVolumeResponse>(
      method, &Async::LookupVolume, std::move(request), true);
  if (!answer) co_return fail(std::move(answer.error()));
  if (!answer->status.ok()) co_return storage_error(method, answer->status);
  std::vector<std::string> urls;
  const auto& map = answer->response.locations_map();
  if (const auto at = map.find(id); at != map.end()) {
    for (const auto& location : at->second.locations()) urls.push_back(location.url());
  }
  co_return std::move(urls);
}

Task<Result<std::int32_t>> FilerClient::signature_of(std::string filer) {
  constexpr Method method = Method::filer_configuration;
  const auto endpoint = filers_.find(filer);
  if (!endpoint) co_return storage_error(method, filer + " is no filer any more");
  const MonoTime began = clock_.now();
  auto answer = co_await unary_call<SeaweedFiler, filer_pb::GetFilerConfigurationRequest,
                                    filer_pb::GetFilerConfigurationResponse>(
      calls_, endpoint->connection(), &Async::GetFilerConfiguration, filer_pb::GetFilerConfigurationRequest(),
      timeout_);
  const bool answered = reached(answer.status);
  endpoint->report(answered);
  metrics_.called(method, clock_.now() - began, !answered);
  if (!answer.status.ok()) co_return storage_error(method, answer.status);
  co_return answer.response.signature();
}

}  // namespace tidegate::storage::seaweedmq
