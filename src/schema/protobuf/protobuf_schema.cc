#include "protobuf_schema.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include "excerpt.h"
#include "known_files.h"
#include "proto_file.h"

namespace tidegate::schema::protobuf {
namespace {

namespace pb = google::protobuf;

// The name of the file itself, which no import can have.
const std::string kRoot = "<schema>";
constexpr std::size_t kMaxReasonBytes = 300;

std::unexpected<Error> refused(std::string reason) {
  return fail(ErrorCode::invalid_record, std::move(reason));
}

// The files of a schema in a pool of their own, each behind what it imports.
class Linker final : pb::DescriptorPool::ErrorCollector {
 public:
  Linker(std::span<const NamedText> references, const CompileLimits& limits)
      : references_(references), budget_(limits) {}

  Result<const pb::FileDescriptor*> link(std::string_view text) {
    auto file = read_proto_file(kRoot, text, budget_);
    if (!file) return fail(std::move(file.error()));
    return add(std::move(*file));
  }
  const pb::DescriptorPool& pool() const { return pool_; }

 private:
  void AddError(const std::string& /*file*/, const std::string& element, const pb::Message* /*descriptor*/,
                ErrorLocation /*location*/, const std::string& message) override {
    if (!error_.empty()) return;
    error_ = excerpt(element, kMaxReasonBytes) + ": " + excerpt(message, kMaxReasonBytes);
  }

  Result<const pb::FileDescriptor*> add(pb::FileDescriptorProto file) {
    open_.insert(file.name());
    for (const std::string& name : file.dependency()) {
      if (auto there = import(name); !there) return fail(std::move(there.error()));
    }
    open_.erase(file.name());
    const pb::FileDescriptor* made = pool_.BuildFileCollectingErrors(file, this);
    if (made == nullptr) return refused(in(file.name()) + (error_.empty() ? "it cannot be linked" : error_));
    return made;
  }
  static std::string in(const std::string& name) {
    return name == kRoot ? "" : fmt::format("in {}: ", excerpt(name, kMaxReasonBytes));
  }

  Result<void> import(const std::string& name) {
    if (pool_.FindFileByName(name) != nullptr) return {};
    if (open_.contains(name)) {
      return refused(fmt::format("its import of {} goes in a circle", excerpt(name, kMaxReasonBytes)));
    }
    auto file = read(name);
    if (!file) return fail(std::move(file.error()));
    auto made = add(std::move(*file));
    if (!made) return fail(std::move(made.error()));
    return {};
  }

  Result<pb::FileDescriptorProto> read(const std::string& name) {
    // Nobody has to guess which descriptor.proto options are made of.
    const bool is_protobufs_own = name.starts_with("google/protobuf/");
    const NamedText* found = nullptr;
    for (const NamedText& each : references_) {
      if (each.name != name) continue;
      if (found != nullptr && found->text != each.text) {
        return refused(fmt::format("two of its references are named {}", excerpt(name, kMaxReasonBytes)));
      }
      found = &each;
    }
    if (found == nullptr || is_protobufs_own) {
      if (auto known = known_file(name)) return std::move(*known);
    }
    if (found == nullptr) {
      return refused(
          fmt::format("its import of {} is none of its references", excerpt(name, kMaxReasonBytes)));
    }
    auto file = read_proto_file(name, found->text, budget_);
    if (!file) return refused(in(name) + file.error().message);
    return file;
  }

  std::span<const NamedText> references_;
  Budget budget_;
  pb::DescriptorPool pool_;
  std::set<std::string> open_;  // waiting for their imports
  std::string error_;
};

Shape shape_of(const pb::FieldDescriptor& field) {
  using Type = pb::FieldDescriptor::Type;
  switch (field.type()) {
    case Type::TYPE_DOUBLE:
    case Type::TYPE_FIXED64:
    case Type::TYPE_SFIXED64:
      return Shape::fixed64;
    case Type::TYPE_FLOAT:
    case Type::TYPE_FIXED32:
    case Type::TYPE_SFIXED32:
      return Shape::fixed32;
    case Type::TYPE_INT64:
    case Type::TYPE_UINT64:
    case Type::TYPE_INT32:
    case Type::TYPE_BOOL:
    case Type::TYPE_UINT32:
    case Type::TYPE_ENUM:
    case Type::TYPE_SINT32:
    case Type::TYPE_SINT64:
      return Shape::varint;
    case Type::TYPE_STRING:
      // proto2 leaves strings to those who write them.
      return field.file()->syntax() == pb::FileDescriptor::SYNTAX_PROTO3 ? Shape::text : Shape::bytes;
    case Type::TYPE_BYTES:
      return Shape::bytes;
    case Type::TYPE_MESSAGE:
      return Shape::message;
    case Type::TYPE_GROUP:
      return Shape::group;
  }
  return Shape::varint;
}

}  // namespace

// Descriptors to indexes: the messages of the file, and what can be reached from them.
class Flattener {
 public:
  explicit Flattener(const pb::DescriptorPool& pool) : pool_(pool) {}

  Schema run(const pb::FileDescriptor& file) {
    for (int i = 0; i < file.message_type_count(); ++i) {
      const pb::Descriptor* message = file.message_type(i);
      made_.nested_.push_back(index_of(message));
      made_.nesting_ = std::max(made_.nesting_, nesting_of(*message));
    }
    // index_of() appends.
    for (std::size_t i = 0; i < todo_.size(); ++i) message(i);
    mark_declared(made_.nested_, made_.declared_);
    for (Message& each : made_.messages_) mark_declared(each.nested, each.declared);
    mark_required();
    return std::move(made_);
  }

 private:
  static std::size_t nesting_of(const pb::Descriptor& message) {
    std::size_t deepest = 0;
    for (int i = 0; i < message.nested_type_count(); ++i) {
      deepest = std::max(deepest, nesting_of(*message.nested_type(i)));
    }
    return 1 + deepest;
  }

  std::uint32_t index_of(const pb::Descriptor* message) {
    const auto [at, is_new] = indexes_.emplace(message, static_cast<std::uint32_t>(todo_.size()));
    if (is_new) todo_.push_back(message);
    return at->second;
  }

  std::uint32_t symbols_of(const pb::EnumDescriptor* type) {
    const auto [at, is_new] = enums_.emplace(type, static_cast<std::uint32_t>(made_.symbols_.size()));
    if (is_new) {
      auto& numbers = made_.symbols_.emplace_back();
      for (int i = 0; i < type->value_count(); ++i) numbers.push_back(type->value(i)->number());
      std::ranges::sort(numbers);
    }
    return at->second;
  }

  void message(std::size_t index) {
    const pb::Descriptor& from = *todo_[index];
    Message made;
    made.name = from.full_name();
    made.is_map_entry = from.options().map_entry();
    for (int i = 0; i < from.field_count(); ++i) {
      const pb::FieldDescriptor& field = *from.field(i);
      made.fields.push_back(field_of(field));
      if (field.is_required()) made.fields.back().required = made.required_count++;
    }
    if (from.extension_range_count() > 0) {
      std::vector<const pb::FieldDescriptor*> extensions;
      pool_.FindAllExtensions(&from, &extensions);
      for (const pb::FieldDescriptor* each : extensions) made.fields.push_back(field_of(*each));
    }
    std::ranges::sort(made.fields, {}, &Field::number);
    for (int i = 0; i < from.nested_type_count(); ++i) {
      made.nested.push_back(index_of(from.nested_type(i)));
    }
    made_.messages_.push_back(std::move(made));
  }

  Field field_of(const pb::FieldDescriptor& from) {
    Field field;
    field.number = static_cast<std::uint32_t>(from.number());
    field.shape = shape_of(from);
    field.repeated = from.is_repeated();
    field.name = from.is_extension() ? "[" + from.full_name() + "]" : from.name();
    if (from.message_type() != nullptr) field.message = index_of(from.message_type());
    if (field.shape == Shape::group) groups_.insert(field.message);
    if (from.containing_oneof() != nullptr) {
      field.choice = static_cast<std::uint32_t>(from.containing_oneof()->index());
    }
    if (from.enum_type() != nullptr && from.file()->syntax() != pb::FileDescriptor::SYNTAX_PROTO3) {
      field.symbols = symbols_of(from.enum_type());
    }
    return field;
  }

  void mark_declared(const std::vector<std::uint32_t>& nested, std::vector<std::uint32_t>& declared) const {
    for (const std::uint32_t index : nested) {
      if (!made_.messages_[index].is_map_entry && !groups_.contains(index)) declared.push_back(index);
    }
  }

  // From the messages with required fields back to those that hold them.
  void mark_required() {
    std::vector<std::vector<std::uint32_t>> holders(made_.messages_.size());
    std::vector<std::uint32_t> reached;
    for (std::uint32_t i = 0; i < made_.messages_.size(); ++i) {
      for (const Field& field : made_.messages_[i].fields) {
        if (field.message != kNone) holders[field.message].push_back(i);
      }
      if (made_.messages_[i].required_count > 0) reached.push_back(i);
    }
    while (!reached.empty()) {
      const std::uint32_t index = reached.back();
      reached.pop_back();
      if (std::exchange(made_.messages_[index].reaches_required, true)) continue;
      reached.insert(reached.end(), holders[index].begin(), holders[index].end());
    }
  }

  const pb::DescriptorPool& pool_;
  Schema made_;
  std::unordered_map<const pb::Descriptor*, std::uint32_t> indexes_;
  std::unordered_map<const pb::EnumDescriptor*, std::uint32_t> enums_;
  std::vector<const pb::Descriptor*> todo_;
  std::set<std::uint32_t> groups_;
};

Result<Schema> Schema::compile(std::string_view text, std::span<const NamedText> references,
                               const CompileLimits& limits) {
  Linker linker(references, limits);
  auto file = linker.link(text);
  if (!file) return fail(std::move(file.error()));
  if ((*file)->message_type_count() == 0) return refused("it defines no message");
  return Flattener(linker.pool()).run(**file);
}

bool Schema::has_symbol(std::uint32_t symbols, std::int32_t number) const {
  return std::ranges::binary_search(symbols_[symbols], number);
}

Schema::Named Schema::find(std::span<const std::uint32_t> path) const {
  const auto follow = [&](const std::vector<std::uint32_t>& top, auto inner) {
    const std::vector<std::uint32_t>* list = &top;
    std::uint32_t at = kNone;
    for (const std::uint32_t index : path) {
      if (index >= list->size()) return kNone;
      at = (*list)[index];
      list = &(messages_[at].*inner);
    }
    return at == kNone || messages_[at].is_map_entry ? kNone : at;
  };
  const std::uint32_t first = follow(nested_, &Message::nested);
  const std::uint32_t other = follow(declared_, &Message::declared);
  return {first, other == first ? kNone : other};
}

std::size_t Schema::size_bytes() const {
  std::size_t size = sizeof(*this) + messages_.capacity() * sizeof(Message);
  for (const Message& each : messages_) {
    size += each.name.capacity() + each.fields.capacity() * sizeof(Field) +
            (each.nested.capacity() + each.declared.capacity()) * sizeof(std::uint32_t);
    for (const Field& field : each.fields) size += field.name.capacity();
  }
  for (const auto& numbers : symbols_) size += sizeof(numbers) + numbers.capacity() * sizeof(std::int32_t);
  return size + (nested_.capacity() + declared_.capacity()) * sizeof(std::uint32_t);
}

}  // namespace tidegate::schema::protobuf
