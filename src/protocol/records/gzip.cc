// gzip through zlib. Several members one after the other are one stream, and bytes behind a member
// that begin no other are ignored: both as java.util.zip reads it, so that what a Java consumer accepts
// is what we accept.
#include <zlib.h>

#include "records/codecs.h"
#include "tidegate/base/assert.h"

namespace tidegate::protocol::codecs {
namespace {

constexpr int kGzipOnly = 16;  // added to the window bits: expect or write the gzip wrapper

class Inflater {
 public:
  Inflater() { ready_ = inflateInit2(&stream_, MAX_WBITS + kGzipOnly) == Z_OK; }
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  z_stream* start(ByteView input) {
    if (!ready_ || inflateReset(&stream_) != Z_OK) return nullptr;
    stream_.next_in = const_cast<Bytef*>(input.data());
    stream_.avail_in = static_cast<uInt>(input.size());
    return &stream_;
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

class Deflater {
 public:
  Deflater() {
    constexpr int kMemoryLevel = 8;
    ready_ = deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + kGzipOnly, kMemoryLevel,
                          Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~Deflater() {
    if (ready_) deflateEnd(&stream_);
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  z_stream* start() { return ready_ && deflateReset(&stream_) == Z_OK ? &stream_ : nullptr; }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

bool another_member_follows(const z_stream& stream) {
  return stream.avail_in >= 3 && stream.next_in[0] == 0x1f && stream.next_in[1] == 0x8b &&
         stream.next_in[2] == 8;
}

}  // namespace

Result<SharedBuffer> gzip_inflate(ByteView input, std::size_t max_bytes) {
  thread_local Inflater inflater;
  z_stream* stream = inflater.start(input);
  if (stream == nullptr) return fail(ErrorCode::unknown_server_error, "gzip: no memory");
  GrowingOutput output(input.size(), max_bytes);
  // Ends: each turn takes input, fills output up to the ceiling, or returns.
  for (;;) {
    const auto room = output.room();
    if (room.empty()) return over_limit("gzip", max_bytes);
    stream->next_out = room.data();
    stream->avail_out = static_cast<uInt>(std::min<std::size_t>(room.size(), 1U << 30));
    const uInt offered = stream->avail_out;
    const int status = inflate(stream, Z_NO_FLUSH);
    output.commit(offered - stream->avail_out);
    if (output.over_limit()) return over_limit("gzip", max_bytes);
    if (status == Z_STREAM_END) {
      if (!another_member_follows(*stream)) return std::move(output).finish();
      if (inflateReset(stream) != Z_OK) return bad_stream("gzip", "cannot go on to the next member");
      continue;
    }
    if (status == Z_BUF_ERROR || (status == Z_OK && stream->avail_in == 0 && stream->avail_out != 0)) {
      return bad_stream("gzip", "stream is cut");
    }
    if (status == Z_MEM_ERROR) return fail(ErrorCode::unknown_server_error, "gzip: no memory");
    if (status != Z_OK) return bad_stream("gzip", stream->msg != nullptr ? stream->msg : "bad stream");
  }
}

Result<SharedBuffer> gzip_deflate(ByteView input) {
  thread_local Deflater deflater;
  z_stream* stream = deflater.start();
  if (stream == nullptr) return fail(ErrorCode::unknown_server_error, "gzip: no memory");
  MutableBuffer output(deflateBound(stream, static_cast<uLong>(input.size())));
  stream->next_in = const_cast<Bytef*>(input.data());
  stream->avail_in = static_cast<uInt>(input.size());
  stream->next_out = output.data();
  stream->avail_out = static_cast<uInt>(output.size());
  if (deflate(stream, Z_FINISH) != Z_STREAM_END)
    return fail(ErrorCode::unknown_server_error, "gzip: deflate failed");
  const std::size_t size = output.size() - stream->avail_out;
  return std::move(output).freeze(size);
}

}  // namespace tidegate::protocol::codecs
