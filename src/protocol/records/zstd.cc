// zstd frames, read as a stream because most clients do not say the content size, and because one that
// is said is no reason to believe it. Frames one after the other are one stream.
#include <zstd.h>

#include <memory>

#include "records/codecs.h"

namespace tidegate::protocol::codecs {
namespace {

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

// A frame may declare a window of up to 128 MiB (levels 20-22 do, whatever they hold). The library
// reserves it untouched; a context that has grown so is not kept.
constexpr std::size_t kMaxKeptContextBytes = 4U << 20;

}  // namespace

Result<SharedBuffer> zstd_inflate(ByteView input, std::size_t max_bytes) {
  thread_local std::unique_ptr<ZSTD_DCtx, FreeContext> context;
  if (context == nullptr) context.reset(ZSTD_createDCtx());
  if (context == nullptr) return fail(ErrorCode::unknown_server_error, "zstd: no memory");
  ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_only);

  GrowingOutput output(input.size(), max_bytes);
  ZSTD_inBuffer from{input.data(), input.size(), 0};
  std::size_t hint = 1;  // 0: a frame is complete
  Result<SharedBuffer> result;
  // Ends: each turn takes input, fills output up to the ceiling, or breaks.
  for (;;) {
    if (from.pos == from.size && hint == 0) {
      result = std::move(output).finish();
      break;
    }
    const auto room = output.room();
    ZSTD_outBuffer to{room.data(), room.size(), 0};
    const std::size_t before = from.pos;
    hint = ZSTD_decompressStream(context.get(), &to, &from);
    if (ZSTD_isError(hint)) {
      result = bad_stream("zstd", ZSTD_getErrorName(hint));
      break;
    }
    output.commit(to.pos);
    if (output.over_limit()) {
      result = over_limit("zstd", max_bytes);
      break;
    }
    if (to.pos == 0 && from.pos == before && hint != 0) {
      result = bad_stream("zstd", "stream is cut");
      break;
    }
  }
  if (ZSTD_sizeof_DCtx(context.get()) > kMaxKeptContextBytes) context.reset();
  return result;
}

Result<SharedBuffer> zstd_deflate(ByteView input) {
  thread_local std::unique_ptr<ZSTD_CCtx, FreeContext> context;
  if (context == nullptr) context.reset(ZSTD_createCCtx());
  if (context == nullptr) return fail(ErrorCode::unknown_server_error, "zstd: no memory");
  MutableBuffer output(ZSTD_compressBound(input.size()));
  const std::size_t size = ZSTD_compressCCtx(context.get(), output.data(), output.size(), input.data(),
                                             input.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size)) return fail(ErrorCode::unknown_server_error, ZSTD_getErrorName(size));
  return SharedBuffer::copy_of({output.data(), size});
}

}  // namespace tidegate::protocol::codecs
