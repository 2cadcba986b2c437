#include "fake/filer.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "rpc/file_id.h"

namespace tidegate::test {
namespace {

using storage::seaweedmq::FileId;
constexpr const char* kNoEntry = "filer: no entry is found in filer store";
constexpr const char* kEtag = "Seaweed-X-Amz-ETag";

// Of all filers, and over their restarts: masters never give a key twice.
std::atomic<std::uint64_t> next_key{1};

std::int64_t now_ns() { return std::chrono::system_clock::now().time_since_epoch().count(); }

std::pair<std::string, std::string> split(const std::string& path) {
  const auto slash = path.rfind('/');
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

std::string id_of(const filer_pb::FileChunk& chunk) {
  if (!chunk.file_id().empty()) return chunk.file_id();
  return FileId{chunk.fid().volume_id(), chunk.fid().file_key(), chunk.fid().cookie()}.text();
}

}  // namespace

FakeFiler::FakeFiler(EntryStore& store, Surroundings around, int port)
    : store_(store), around_(std::move(around)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(), &port_);
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  EXPECT_TRUE(server_) << "fake filer cannot listen";
}

FakeFiler::~FakeFiler() {
  stopping_ = true;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

std::optional<grpc::Status> FakeFiler::fault(Context* context, const std::string& method, std::string* body,
                                             std::optional<grpc::Status>* after) {
  const auto fault = faults_.take(method);
  if (!fault) return std::nullopt;
  switch (fault->kind) {
    case Fault::Kind::status:
      return grpc::Status(static_cast<grpc::StatusCode>(fault->code), fault->text);
    case Fault::Kind::body:
      if (body) *body = fault->text;
      return grpc::Status::OK;
    case Fault::Kind::hang:
    case Fault::Kind::delay: {
      const bool forever = fault->kind == Fault::Kind::hang;
      const auto until = std::chrono::steady_clock::now() + (forever ? std::chrono::hours(1) : fault->delay);
      while (!stopping_ && !context->IsCancelled() && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      if (forever) return grpc::Status(grpc::StatusCode::CANCELLED, "hung");
      return std::nullopt;
    }
    case Fault::Kind::lost_answer:
      if (after) *after = grpc::Status(grpc::StatusCode::UNAVAILABLE, "the answer is lost");
      return std::nullopt;
  }
  return std::nullopt;
}

filer_pb::Entry* FakeFiler::find(const std::string& directory, const std::string& name) {
  const auto at = store_.directories.find(directory);
  if (at == store_.directories.end()) return nullptr;
  const auto entry = at->second.find(name);
  if (entry == at->second.end()) return nullptr;
  const auto& attributes = entry->second.attributes();
  if (attributes.ttl_sec() > 0 && (attributes.crtime() + attributes.ttl_sec()) * 1'000'000'000 < now_ns()) {
    at->second.erase(entry);
    return nullptr;
  }
  return &entry->second;
}

filer_pb::Entry* FakeFiler::find(const std::string& path) {
  const auto [directory, name] = split(path);
  return find(directory, name);
}

void FakeFiler::make_parents(const std::string& directory) {
  if (directory == "/" || directory.empty()) return;
  const auto [parent, name] = split(directory);
  make_parents(parent);
  if (find(parent, name)) return;
  filer_pb::Entry entry;
  entry.set_name(name);
  entry.set_is_directory(true);
  store_.directories[parent][name] = entry;
}

filer_pb::Entry FakeFiler::shown(const filer_pb::Entry& entry) const {
  filer_pb::Entry out = entry;
  for (auto& chunk : *out.mutable_chunks()) {
    const auto id = FileId::parse(id_of(chunk));
    if (!id) continue;
    chunk.mutable_fid()->set_volume_id(id->volume);
    chunk.mutable_fid()->set_file_key(id->key);
    chunk.mutable_fid()->set_cookie(id->cookie);
    if (fid_only_) chunk.clear_file_id();
  }
  return out;
}

void FakeFiler::delete_chunks(const filer_pb::Entry& from, const filer_pb::Entry* keep) {
  std::set<std::string> kept;
  if (keep) {
    for (const auto& chunk : keep->chunks()) kept.insert(id_of(chunk));
  }
  for (const auto& chunk : from.chunks()) {
    if (!kept.contains(id_of(chunk))) around_.delete_needle(id_of(chunk));
  }
}

std::pair<filer_pb::FilerError, std::string> FakeFiler::put(const std::string& directory,
                                                            const filer_pb::Entry& entry, bool exclusive) {
  if (directory != "/") {
    if (const auto* parent = find(directory); parent && !parent->is_directory()) {
      return {filer_pb::PARENT_IS_FILE, "parent path is a file"};
    }
  }
  make_parents(directory);
  if (auto* before = find(directory, entry.name())) {
    if (exclusive) return {filer_pb::ENTRY_ALREADY_EXISTS, "entry already exists"};
    if (before->is_directory() && !entry.is_directory()) {
      return {filer_pb::EXISTING_IS_DIRECTORY, "existing entry is a directory"};
    }
    if (!before->is_directory() && entry.is_directory()) {
      return {filer_pb::EXISTING_IS_FILE, "existing entry is a file"};
    }
    delete_chunks(*before, &entry);
  }
  store_.directories[directory][entry.name()] = entry;
  return {filer_pb::OK, ""};
}

std::string FakeFiler::remove(const std::string& directory, const std::string& name, bool data,
                              bool recursive, bool ignore_errors) {
  const auto* entry = find(directory, name);
  if (!entry) return {};
  const std::string path = (directory == "/" ? "" : directory) + "/" + name;
  if (entry->is_directory()) {
    const auto inside = store_.directories.find(path);
    if (inside != store_.directories.end() && !inside->second.empty()) {
      if (!recursive) return "fail to delete non-empty folder: " + path;
      std::vector<std::string> names;
      for (const auto& [child, unused] : inside->second) names.push_back(child);
      for (const auto& child : names) {
        const auto error = remove(path, child, data, true, ignore_errors);
        if (!error.empty() && !ignore_errors) return error;
      }
    }
    store_.directories.erase(path);
  } else if (data) {
    delete_chunks(*entry, nullptr);
  }
  store_.directories[directory].erase(name);
  return {};
}

bool FakeFiler::put_content(const std::string& path, const std::string& content) {
  if (!path.starts_with('/') || path.ends_with('/')) return false;
  const auto [directory, name] = split(path);
  filer_pb::Entry entry;
  entry.set_name(name);
  entry.set_content(content);
  const std::lock_guard lock(store_.mutex);
  return put(directory, entry, false).first == filer_pb::OK;
}

bool FakeFiler::append_chunk(const std::string& directory, const std::string& name, const std::string& bytes,
                             const std::map<std::string, std::string>& attributes, std::uint32_t volume,
                             NeedleStore& needles) {
  const std::string id = FileId{volume, next_key++, 0x5EAF00D}.text();
  {
    const std::lock_guard lock(needles.mutex);
    needles.needles[id] = bytes;
  }
  const std::lock_guard lock(store_.mutex);
  const auto* before = find(directory, name);
  filer_pb::Entry entry = before != nullptr ? *before : filer_pb::Entry();
  entry.set_name(name);
  for (const auto& [key, value] : attributes) {
    // What the first chunk said of its beginning stays.
    if (key == "offset_max" || !entry.extended().contains(key)) (*entry.mutable_extended())[key] = value;
  }
  auto& chunk = *entry.add_chunks();
  chunk.set_file_id(id);
  chunk.set_offset(static_cast<std::int64_t>(entry.attributes().file_size()));
  chunk.set_size(bytes.size());
  entry.mutable_attributes()->set_file_size(entry.attributes().file_size() + bytes.size());
  return put(directory, entry, false).first == filer_pb::OK;
}

grpc::Status FakeFiler::LookupDirectoryEntry(Context* context,
                                             const filer_pb::LookupDirectoryEntryRequest* request,
                                             filer_pb::LookupDirectoryEntryResponse* response) {
  if (auto bad = fault(context, "LookupDirectoryEntry", nullptr, nullptr)) return *bad;
  std::lock_guard lock(store_.mutex);
  const auto* entry = find(request->directory(), request->name());
  if (!entry) {
    return {not_found_ ? grpc::StatusCode::NOT_FOUND : grpc::StatusCode::UNKNOWN,
            not_found_ ? "gone" : kNoEntry};
  }
  *response->mutable_entry() = shown(*entry);
  return grpc::Status::OK;
}

grpc::Status FakeFiler::ListEntries(Context* context, const filer_pb::ListEntriesRequest* request,
                                    grpc::ServerWriter<filer_pb::ListEntriesResponse>* writer) {
  if (auto bad = fault(context, "ListEntries", nullptr, nullptr)) return *bad;
  std::vector<filer_pb::Entry> entries;
  {
    std::lock_guard lock(store_.mutex);
    const auto at = store_.directories.find(request->directory());
    if (at == store_.directories.end()) return grpc::Status::OK;
    const std::size_t limit = request->limit() == 0 ? 1000 : request->limit();
    for (const auto& [name, entry] : at->second) {
      if (entries.size() >= limit) break;
      const auto& after = request->start_from_file_name();
      if (!after.empty() && (request->inclusive_start_from() ? name < after : name <= after)) continue;
      if (name.starts_with(request->prefix())) entries.push_back(shown(entry));
    }
  }
  for (auto& entry : entries) {
    filer_pb::ListEntriesResponse response;
    *response.mutable_entry() = std::move(entry);
    if (!writer->Write(response)) break;
  }
  return grpc::Status::OK;
}

grpc::Status FakeFiler::CreateEntry(Context* context, const filer_pb::CreateEntryRequest* request,
                                    filer_pb::CreateEntryResponse* response) {
  std::optional<grpc::Status> after;
  if (auto bad = fault(context, "CreateEntry", response->mutable_error(), &after)) return *bad;
  std::lock_guard lock(store_.mutex);
  const auto [code, error] = put(request->directory(), request->entry(), request->o_excl());
  response->set_error_code(code);
  response->set_error(error);
  return after.value_or(grpc::Status::OK);
}

grpc::Status FakeFiler::UpdateEntry(Context* context, const filer_pb::UpdateEntryRequest* request,
                                    filer_pb::UpdateEntryResponse*) {
  std::optional<grpc::Status> after;
  if (auto bad = fault(context, "UpdateEntry", nullptr, &after)) return *bad;
  std::lock_guard lock(store_.mutex);
  auto* entry = find(request->directory(), request->entry().name());
  if (!entry) {
    return {grpc::StatusCode::UNKNOWN,
            "not found " + request->directory() + "/" + request->entry().name() + ": " + kNoEntry};
  }
  for (const auto& [key, expected] : request->expected_extended()) {
    const auto at = entry->extended().find(key);
    const std::string actual = at == entry->extended().end() ? "" : at->second;
    if (actual != expected) {
      return {grpc::StatusCode::FAILED_PRECONDITION, "extended attribute \"" + key + "\" changed"};
    }
  }
  if (request->has_condition() && !holds(request->condition(), entry)) {
    return {grpc::StatusCode::FAILED_PRECONDITION, "precondition failed"};
  }
  delete_chunks(*entry, &request->entry());
  *entry = request->entry();
  return after.value_or(grpc::Status::OK);
}

grpc::Status FakeFiler::DeleteEntry(Context* context, const filer_pb::DeleteEntryRequest* request,
                                    filer_pb::DeleteEntryResponse* response) {
  std::optional<grpc::Status> after;
  if (auto bad = fault(context, "DeleteEntry", response->mutable_error(), &after)) return *bad;
  std::lock_guard lock(store_.mutex);
  response->set_error(remove(request->directory(), request->name(), request->is_delete_data(),
                             request->is_recursive(), request->ignore_recursive_error()));
  return after.value_or(grpc::Status::OK);
}

bool FakeFiler::holds(const filer_pb::WriteCondition& condition, const filer_pb::Entry* entry) const {
  auto holds_clause = [entry](const filer_pb::WriteCondition::Clause& clause) {
    switch (clause.kind()) {
      case filer_pb::WriteCondition::NONE:
        return true;
      case filer_pb::WriteCondition::IF_NOT_EXISTS:
        return entry == nullptr;
      case filer_pb::WriteCondition::IF_EXISTS:
        return entry != nullptr;
      case filer_pb::WriteCondition::IF_ETAG_MATCH: {
        if (!entry) return false;
        const auto at = entry->extended().find(kEtag);
        const std::string etag = at == entry->extended().end() ? "no etag" : at->second;
        return std::ranges::find(clause.etags(), etag) != clause.etags().end();
      }
      case filer_pb::WriteCondition::IF_CHUNKS_EQUAL: {
        std::multiset<std::string> stored;
        if (entry) {
          for (const auto& chunk : entry->chunks()) stored.insert(id_of(chunk));
        }
        return stored == std::multiset<std::string>(clause.fids().begin(), clause.fids().end());
      }
      default:
        return false;
    }
  };
  return std::ranges::all_of(condition.clauses(), holds_clause);
}

grpc::Status FakeFiler::ObjectTransaction(Context* context, const filer_pb::ObjectTransactionRequest* request,
                                          filer_pb::ObjectTransactionResponse* response) {
  std::optional<grpc::Status> after;
  if (auto bad = fault(context, "ObjectTransaction", response->mutable_error(), &after)) return *bad;
  if (request->lock_key().empty()) {
    response->set_error("lock_key is required");
    return grpc::Status::OK;
  }
  FakeFiler* owner =
      request->route_key().empty() || !around_.owner ? this : around_.owner(request->route_key());
  if (owner == nullptr) owner = this;
  if (owner != this) ++forwarded_;
  const grpc::Status status = owner->transact_here(*request, *response);
  return after.value_or(status);
}

grpc::Status FakeFiler::transact_here(const filer_pb::ObjectTransactionRequest& request,
                                      filer_pb::ObjectTransactionResponse& response) {
  std::lock_guard lock(store_.mutex);
  const auto& checked = request.condition_key().empty() ? request.lock_key() : request.condition_key();
  if (request.has_condition() && !holds(request.condition(), find(checked))) {
    response.set_error("precondition failed");
    response.set_error_code(filer_pb::PRECONDITION_FAILED);
    return grpc::Status::OK;
  }
  for (const auto& mutation : request.mutations()) {
    std::string error;
    switch (mutation.type()) {
      case filer_pb::ObjectMutation::PUT:
        error = put(mutation.directory(), mutation.entry(), false).second;
        break;
      case filer_pb::ObjectMutation::DELETE:
        error = remove(mutation.directory(), mutation.name(), mutation.is_delete_data(),
                       mutation.is_recursive(), false);
        break;
      case filer_pb::ObjectMutation::PATCH_EXTENDED:
        if (auto* entry = find(mutation.directory(), mutation.name())) {
          for (const auto& [key, value] : mutation.set_extended()) (*entry->mutable_extended())[key] = value;
        }
        break;
      default:
        error = "unknown mutation type";
    }
    if (!error.empty()) {
      response.set_error("mutation 0: " + error);
      break;
    }
  }
  return grpc::Status::OK;
}

grpc::Status FakeFiler::AssignVolume(Context* context, const filer_pb::AssignVolumeRequest* request,
                                     filer_pb::AssignVolumeResponse* response) {
  if (auto bad = fault(context, "AssignVolume", response->mutable_error(), nullptr)) return *bad;
  const auto volumes = around_.writable();
  if (volumes.empty()) {
    response->set_error("assign volume: no free volumes left");
    return grpc::Status::OK;
  }
  std::lock_guard lock(store_.mutex);
  const auto count = static_cast<std::uint64_t>(std::max(1, request->count()));
  booked_ += count * (request->expected_data_size() > 0 ? request->expected_data_size() : 1U << 20);
  const std::uint64_t key = next_key.fetch_add(count);
  const Volume& volume = volumes[key % volumes.size()];
  const std::string id = FileId{volume.id, key, 0x01637037}.text();
  response->set_file_id(id);
  response->set_count(static_cast<std::int32_t>(count));
  response->mutable_location()->set_url(volume.url);
  if (around_.sign) response->set_auth(around_.sign(id));
  return grpc::Status::OK;
}

grpc::Status FakeFiler::LookupVolume(Context* context, const filer_pb::LookupVolumeRequest* request,
                                     filer_pb::LookupVolumeResponse* response) {
  if (auto bad = fault(context, "LookupVolume", nullptr, nullptr)) return *bad;
  for (const auto& id : request->volume_ids()) {
    const auto urls = around_.locate(static_cast<std::uint32_t>(std::stoul(id)));
    if (urls.empty()) return {grpc::StatusCode::UNKNOWN, "volume " + id + " not found"};
    auto& locations = (*response->mutable_locations_map())[id];
    for (const auto& url : urls) locations.add_locations()->set_url(url);
  }
  return grpc::Status::OK;
}

FakeFiler::Lock* FakeFiler::live_lock(const std::string& name) {
  const auto at = locks_.find(name);
  if (at == locks_.end()) return nullptr;
  if (at->second.expires_ns >= now_ns()) return &at->second;
  return nullptr;
}

grpc::Status FakeFiler::DistributedLock(Context* context, const filer_pb::LockRequest* request,
                                        filer_pb::LockResponse* response) {
  std::optional<grpc::Status> after;
  if (auto bad = fault(context, "DistributedLock", response->mutable_error(), &after)) return *bad;
  std::lock_guard lock(store_.mutex);
  Lock* held = live_lock(request->name());
  const bool renews = held && !request->renew_token().empty() && held->token == request->renew_token();
  if (held && !renews) {
    response->set_lock_owner(held->owner);
    response->set_error(request->renew_token().empty() ? "lock already owned by " + held->owner
                                                       : "lock: token mismatch");
    return after.value_or(grpc::Status::OK);
  }
  if (!held && !request->renew_token().empty()) {
    response->set_error("lock: non-empty token on a new lock");
    return after.value_or(grpc::Status::OK);
  }
  if (renews) response->set_lock_owner(held->owner);
  Lock next;
  next.token = "token-" + std::to_string(++tokens_);
  next.owner = request->owner();
  next.generation = renews ? held->generation : ++generation_;
  next.expires_ns = now_ns() + request->seconds_to_lock() * 1'000'000'000;
  response->set_renew_token(next.token);
  response->set_generation(next.generation);
  locks_[request->name()] = next;
  return after.value_or(grpc::Status::OK);
}

grpc::Status FakeFiler::DistributedUnlock(Context* context, const filer_pb::UnlockRequest* request,
                                          filer_pb::UnlockResponse* response) {
  if (auto bad = fault(context, "DistributedUnlock", response->mutable_error(), nullptr)) return *bad;
  std::lock_guard lock(store_.mutex);
  const Lock* held = live_lock(request->name());
  if (held && held->token != request->renew_token()) {
    response->set_error("unlock: token mismatch");
    return grpc::Status::OK;
  }
  locks_.erase(request->name());
  return grpc::Status::OK;
}

grpc::Status FakeFiler::FindLockOwner(Context* context, const filer_pb::FindLockOwnerRequest* request,
                                      filer_pb::FindLockOwnerResponse* response) {
  if (auto bad = fault(context, "FindLockOwner", nullptr, nullptr)) return *bad;
  std::lock_guard lock(store_.mutex);
  const Lock* held = live_lock(request->name());
  if (!held) return {grpc::StatusCode::NOT_FOUND, "lock " + request->name() + " not found"};
  response->set_owner(held->owner);
  return grpc::Status::OK;
}

grpc::Status FakeFiler::GetFilerConfiguration(Context* context, const filer_pb::GetFilerConfigurationRequest*,
                                              filer_pb::GetFilerConfigurationResponse* response) {
  if (auto bad = fault(context, "GetFilerConfiguration", nullptr, nullptr)) return *bad;
  response->set_signature(store_.signature);
  return grpc::Status::OK;
}

}  // namespace tidegate::test
