#include "visitors/encoder.h"

#include <fmt/format.h>

namespace tidegate::protocol::detail {

void EncodeContext::note(std::string_view field, std::string_view what) {
  if (problem.empty())
    problem = fmt::format("{} {}, which version {} cannot carry", field, what, form.version);
}

std::string_view clip_string(EncodeContext& context, std::string_view text) {
  constexpr std::size_t kMaxStringBytes = 0x7fff;
  if (text.size() > kMaxStringBytes) context.note("a string", fmt::format("is {} bytes long", text.size()));
  return text.substr(0, kMaxStringBytes);
}

}  // namespace tidegate::protocol::detail
