#include "rpc/filer_client.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "rpc/entry_convert.h"
#include "rpc/filer_call.h"

namespace tidegate::storage::seaweedmq {
namespace {

using filer_pb::SeaweedFiler;
constexpr const char* kNoEntry = "no entry is found";

using detail::storage_error;

// A missing entry has two shapes: the status that is meant for it, and any status with this text.
bool says_missing(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::NOT_FOUND ||
         status.error_message().find(kNoEntry) != std::string::npos;
}

}  // namespace

Duration FilerClient::jittered(Duration pause) {
  std::lock_guard lock(rng_mutex_);
  const auto half = static_cast<std::uint64_t>(pause.count() / 2);
  return Duration(static_cast<std::int64_t>(half + rng_.below(half + 1)));
}

// ------------------------------------------------------------------------------------------- reading

Task<Result<std::optional<Entry>>> FilerClient::lookup(std::string directory, std::string name) {
  filer_pb::LookupDirectoryEntryRequest request;
  request.set_directory(std::move(directory));
  request.set_name(std::move(name));
  constexpr Method method = Method::lookup_entry;
  auto answer = co_await call<filer_pb::LookupDirectoryEntryRequest, filer_pb::LookupDirectoryEntryResponse>(
      method, &SeaweedFiler::StubInterface::async_interface::LookupDirectoryEntry, std::move(request), true);
  if (!answer) co_return fail(std::move(answer.error()));
  if (says_missing(answer->status)) co_return std::nullopt;
  if (!answer->status.ok()) co_return storage_error(method, answer->status);
  if (!answer->response.has_entry()) co_return std::nullopt;
  co_return from_message(answer->response.entry());
}

Task<Result<std::vector<Entry>>> FilerClient::list(std::string directory, std::string prefix,
                                                   std::string after, std::size_t limit) {
  // 0 would mean as many as the filer likes.
  if (limit == 0) co_return std::vector<Entry>{};
  filer_pb::ListEntriesRequest request;
  request.set_directory(std::move(directory));
  request.set_prefix(std::move(prefix));
  request.set_start_from_file_name(std::move(after));
  request.set_limit(
      static_cast<std::uint32_t>(std::min<std::size_t>(limit, std::numeric_limits<int>::max())));
  constexpr Method method = Method::list_entries;
  auto begin = [](Connection& via, grpc::ClientContext& context, const filer_pb::ListEntriesRequest& what,
                  grpc::ClientReadReactor<filer_pb::ListEntriesResponse>& reactor) {
    via.filer_stub->async()->ListEntries(&context, &what, &reactor);
  };
  using Responses = std::vector<filer_pb::ListEntriesResponse>;
  auto attempt = [this, begin, &request, limit](std::shared_ptr<Connection> via, Duration timeout) {
    return collect_call<filer_pb::ListEntriesRequest, filer_pb::ListEntriesResponse>(
        calls_, std::move(via), begin, request, limit, timeout);
  };
  auto answer = co_await with_filer<Responses>(method, attempt, true);
  if (!answer) co_return fail(std::move(answer.error()));
  if (says_missing(answer->status)) co_return std::vector<Entry>{};
  if (!answer->status.ok()) co_return storage_error(method, answer->status);
  std::vector<Entry> entries;
  entries.reserve(answer->response.size());
  for (const auto& response : answer->response) {
    if (response.has_entry()) entries.push_back(from_message(response.entry()));
  }
  co_return std::move(entries);
}

// ------------------------------------------------------------------------------------------- writing

Task<Result<Outcome>> FilerClient::create(std::string directory, Entry entry, bool exclusive) {
  filer_pb::CreateEntryRequest request;
  request.set_directory(std::move(directory));
  *request.mutable_entry() = to_message(entry, now_s());
  request.set_o_excl(exclusive);
  constexpr Method method = Method::create_entry;
  auto answer = co_await call<filer_pb::CreateEntryRequest, filer_pb::CreateEntryResponse>(
      method, &SeaweedFiler::StubInterface::async_interface::CreateEntry, std::move(request), false);
  if (!answer) co_return fail(std::move(answer.error()));
  if (!answer->status.ok()) co_return storage_error(method, answer->status);
  const auto& response = answer->response;
  if (exclusive && response.error_code() == filer_pb::ENTRY_ALREADY_EXISTS) co_return Outcome::refused;
  if (response.error_code() != filer_pb::OK || !response.error().empty()) {
    co_return storage_error(method, response.error());
  }
  co_return Outcome::done;
}

Task<Result<Outcome>> FilerClient::update(std::string directory, Entry entry, std::string key,
                                          std::optional<std::string> expected) {
  filer_pb::UpdateEntryRequest request;
  request.set_directory(std::move(directory));
  *request.mutable_entry() = to_message(entry, now_s());
  (*request.mutable_expected_extended())[key] = expected.value_or("");
  constexpr Method method = Method::update_entry;
  auto answer = co_await call<filer_pb::UpdateEntryRequest, filer_pb::UpdateEntryResponse>(
      method, &SeaweedFiler::StubInterface::async_interface::UpdateEntry, std::move(request), false);
  if (!answer) co_return fail(std::move(answer.error()));
  const grpc::Status& status = answer->status;
  // An entry that is not there does not hold what was expected of it.
  if (status.error_code() == grpc::StatusCode::FAILED_PRECONDITION || says_missing(status)) {
    co_return Outcome::refused;
  }
  if (!status.ok()) co_return storage_error(method, status);
  co_return Outcome::done;
}

Task<Result<Outcome>> FilerClient::transact(FencedChange change) {
  filer_pb::ObjectTransactionRequest request;
  request.set_lock_key(change.fence_path);
  request.set_route_key(change.fence_path);
  auto& clause = *request.mutable_condition()->add_clauses();
  if (change.fence_etag.empty()) {
    clause.set_kind(filer_pb::WriteCondition::IF_NOT_EXISTS);
  } else {
    clause.set_kind(filer_pb::WriteCondition::IF_ETAG_MATCH);
    clause.add_etags(change.fence_etag);
  }
  // One mutation a transaction: several are applied in order without a way back.
  auto& mutation = *request.add_mutations();
  mutation.set_directory(change.directory);
  switch (change.kind) {
    case FencedChange::Kind::put:
      mutation.set_type(filer_pb::ObjectMutation::PUT);
      *mutation.mutable_entry() = to_message(change.entry, now_s());
      break;
    case FencedChange::Kind::erase:
      mutation.set_type(filer_pb::ObjectMutation::DELETE);
      mutation.set_name(change.entry.name);
      mutation.set_is_delete_data(change.erase_data);
      break;
    case FencedChange::Kind::patch_extended:
      mutation.set_type(filer_pb::ObjectMutation::PATCH_EXTENDED);
      mutation.set_name(change.entry.name);
      for (const auto& [key, value] : change.entry.extended) (*mutation.mutable_set_extended())[key] = value;
      break;
  }
  constexpr Method method = Method::object_transaction;
  auto answer = co_await call<filer_pb::ObjectTransactionRequest, filer_pb::ObjectTransactionResponse>(
      method, &SeaweedFiler::StubInterface::async_interface::ObjectTransaction, std::move(request), false);
  if (!answer) co_return fail(std::move(answer.error()));
  if (!answer->status.ok()) co_return storage_error(method, answer->status);
  const auto& response = answer->response;
  if (response.error_code() == filer_pb::PRECONDITION_FAILED) co_return Outcome::refused;
  if (response.error_code() != filer_pb::OK || !response.error().empty()) {
    co_return storage_error(method, response.error());
  }
  co_return Outcome::done;
}

Task<Result<void>> FilerClient::erase(std::string directory, std::string name, bool recursive) {
  filer_pb::DeleteEntryRequest request;
  request.set_directory(std::move(directory));
  request.set_name(std::move(name));
  request.set_is_delete_data(true);
  request.set_is_recursive(recursive);
  request.set_ignore_recursive_error(recursive);
  constexpr Method method = Method::delete_entry;
  auto answer = co_await call<filer_pb::DeleteEntryRequest, filer_pb::DeleteEntryResponse>(
      method, &SeaweedFiler::StubInterface::async_interface::DeleteEntry, std::move(request), false);
  if (!answer) co_return fail(std::move(answer.error()));
  if (says_missing(answer->status)) co_return Result<void>();
  if (!answer->status.ok()) co_return storage_error(method, answer->status);
  const std::string& error = answer->response.error();
  if (!error.empty() && error.find(kNoEntry) == std::string::npos) co_return storage_error(method, error);
  co_return Result<void>();
}

}  // namespace tidegate::storage::seaweedmq
