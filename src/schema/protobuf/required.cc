#include "required.h"

#include <map>
#include <span>
#include <utility>
#include <vector>

#include "excerpt.h"
#include "fields.h"

namespace tidegate::schema::protobuf {
namespace {

constexpr std::size_t kMaxNameBytes = 100;

class Seeker {
 public:
  explicit Seeker(const Schema& schema) : schema_(schema) {}
  // `pieces` in the order in which they came.
  std::string missing(const Message& message, std::span<const ByteView> pieces) {
    std::vector<bool> present(message.required_count);
    Parts parts;
    for (ByteView rest : pieces) {
      std::size_t hint = 0;
      while (!rest.empty()) {
        const WireField wire = take_field(rest);
        const Field* field = find_field(message, wire.tag.number, hint);
        if (field == nullptr) continue;
        const Fit fit = fit_of(*field, wire.tag.type);
        if (fit != Fit::single || !is_present(schema_, *field, wire.number)) continue;
        if (field->required != kNone) present[field->required] = true;
        parts.add(schema_, *field, wire.content);
      }
    }
    for (const Field& field : message.fields) {
      if (field.required != kNone && !present[field.required]) return named(field);
    }
    for (const auto& [field, of_field] : parts.messages) {
      const Message& inner = schema_.message(field->message);
      // Of a repeated field each is a message of its own.
      const std::size_t together = field->repeated ? 1 : of_field.size();
      for (std::size_t i = 0; i < of_field.size(); i += together) {
        std::string found = missing(inner, std::span(of_field).subspan(i, together));
        if (!found.empty()) return named(*field) + "." + found;
      }
    }
    return {};
  }

 private:
  struct Parts {
    void add(const Schema& schema, const Field& field, ByteView content) {
      if (field.choice != kNone) {
        const auto [at, is_first] = chosen.try_emplace(field.choice, &field);
        if (!is_first && at->second != &field) messages.erase(std::exchange(at->second, &field));
      }
      if (field.message != kNone && schema.message(field.message).reaches_required) {
        messages[&field].push_back(content);
      }
    }
    std::map<const Field*, std::vector<ByteView>> messages;
    std::map<std::uint32_t, const Field*> chosen;
  };
  static std::string named(const Field& field) { return excerpt(field.name, kMaxNameBytes); }

  const Schema& schema_;
};

}  // namespace

std::string missing_required(const Schema& schema, const Message& message, ByteView bytes) {
  return Seeker(schema).missing(message, std::span(&bytes, 1));
}

}  // namespace tidegate::schema::protobuf
