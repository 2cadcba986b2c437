// The lz4 frame format. We write independent blocks of 64 KiB without checksums or content size: Java
// consumers refuse linked blocks. We read every frame that liblz4 reads, and frames one after the other.
#include <lz4frame.h>

#include <memory>

#include "records/codecs.h"

namespace tidegate::protocol::codecs {
namespace {

struct FreeContext {
  void operator()(LZ4F_dctx* context) const { LZ4F_freeDecompressionContext(context); }
};

LZ4F_dctx* make_context() {
  LZ4F_dctx* context = nullptr;
  return LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)) ? nullptr : context;
}

constexpr LZ4F_preferences_t kPreferences = {.frameInfo = {.blockSizeID = LZ4F_max64KB,
                                                           .blockMode = LZ4F_blockIndependent,
                                                           .contentChecksumFlag = LZ4F_noContentChecksum,
                                                           .frameType = LZ4F_frame,
                                                           .contentSize = 0,
                                                           .dictID = 0,
                                                           .blockChecksumFlag = LZ4F_noBlockChecksum},
                                             .compressionLevel = 0,
                                             .autoFlush = 1,
                                             .favorDecSpeed = 0,
                                             .reserved = {}};

}  // namespace

Result<SharedBuffer> lz4_inflate(ByteView input, std::size_t max_bytes) {
  // A frame header makes the library reserve up to 8 MiB of work memory (blocks of 4 MiB, which some
  // clients really use). The context is kept only after frames that ended well, and its memory is
  // touched only as far as output needs it.
  thread_local std::unique_ptr<LZ4F_dctx, FreeContext> context;
  if (context == nullptr) context.reset(make_context());
  if (context == nullptr) return fail(ErrorCode::unknown_server_error, "lz4: no memory");

  GrowingOutput output(input.size(), max_bytes);
  std::size_t hint = 1;  // 0: a frame is complete
  const auto give_up = [&](auto error) {
    context.reset();  // its state is in the middle of a frame
    return error;
  };
  // Ends: each turn takes input, fills output up to the ceiling, or returns.
  while (!input.empty() || hint != 0) {
    const auto room = output.room();
    std::size_t written = room.size();
    std::size_t taken = input.size();
    hint = LZ4F_decompress(context.get(), room.data(), &written, input.data(), &taken, nullptr);
    if (LZ4F_isError(hint)) return give_up(bad_stream("lz4", LZ4F_getErrorName(hint)));
    output.commit(written);
    input = input.subspan(taken);
    if (output.over_limit()) return give_up(over_limit("lz4", max_bytes));
    // Room was left and nothing was written: all input is used up and the frame wants more.
    if (written == 0 && taken == 0 && hint != 0) return give_up(bad_stream("lz4", "stream is cut"));
  }
  return std::move(output).finish();
}

Result<SharedBuffer> lz4_deflate(ByteView input) {
  MutableBuffer output(LZ4F_compressFrameBound(input.size(), &kPreferences));
  const std::size_t size =
      LZ4F_compressFrame(output.data(), output.size(), input.data(), input.size(), &kPreferences);
  if (LZ4F_isError(size)) return fail(ErrorCode::unknown_server_error, LZ4F_getErrorName(size));
  return SharedBuffer::copy_of({output.data(), size});
}

}  // namespace tidegate::protocol::codecs
