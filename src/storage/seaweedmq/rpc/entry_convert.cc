#include "rpc/entry_convert.h"

#include <algorithm>

#include "rpc/file_id.h"

namespace tidegate::storage::seaweedmq {
namespace {

// Go's os.FileMode: the bit that makes the filer take an entry for a directory.
constexpr std::uint32_t kDirectoryBit = 1U << 31;
constexpr std::uint32_t kDirectoryMode = kDirectoryBit | 0755;
constexpr std::uint32_t kFileMode = 0644;

Chunk from_message(const filer_pb::FileChunk& message) {
  Chunk chunk;
  chunk.file_id = message.file_id();
  if (chunk.file_id.empty() && message.has_fid()) {
    const auto& fid = message.fid();
    chunk.file_id = FileId{fid.volume_id(), fid.file_key(), fid.cookie()}.text();
  }
  chunk.offset = message.offset();
  chunk.size_bytes = message.size();
  chunk.modified_ns = message.modified_ts_ns();
  chunk.gzipped = message.is_compressed();
  chunk.manifest = message.is_chunk_manifest();
  return chunk;
}

}  // namespace

filer_pb::Entry to_message(const Entry& entry, std::int64_t now_s) {
  filer_pb::Entry message;
  message.set_name(entry.name);
  message.set_is_directory(entry.is_directory);
  for (const Chunk& chunk : entry.chunks) {
    auto& out = *message.add_chunks();
    out.set_file_id(chunk.file_id);
    out.set_offset(chunk.offset);
    out.set_size(chunk.size_bytes);
    out.set_modified_ts_ns(chunk.modified_ns);
    out.set_is_compressed(chunk.gzipped);
    out.set_is_chunk_manifest(chunk.manifest);
  }
  for (const auto& [key, value] : entry.extended) (*message.mutable_extended())[key] = value;
  message.set_content(entry.content);
  auto& attributes = *message.mutable_attributes();
  attributes.set_file_size(std::max<std::uint64_t>(entry.size_bytes, entry.content.size()));
  attributes.set_file_mode(entry.is_directory ? kDirectoryMode : kFileMode);
  attributes.set_crtime(entry.created_s == 0 ? now_s : entry.created_s);
  attributes.set_mtime(entry.modified_s == 0 ? now_s : entry.modified_s);
  attributes.set_ttl_sec(entry.ttl_s);
  return message;
}

Entry from_message(const filer_pb::Entry& message) {
  Entry entry;
  entry.name = message.name();
  entry.is_directory = message.is_directory();
  entry.chunks.reserve(static_cast<std::size_t>(message.chunks_size()));
  for (const auto& chunk : message.chunks()) entry.chunks.push_back(from_message(chunk));
  for (const auto& [key, value] : message.extended()) entry.extended.emplace(key, value);
  entry.content = message.content();
  const auto& attributes = message.attributes();
  entry.size_bytes = attributes.file_size();
  entry.created_s = attributes.crtime();
  entry.modified_s = attributes.mtime();
  entry.ttl_s = attributes.ttl_sec();
  return entry;
}

}  // namespace tidegate::storage::seaweedmq
