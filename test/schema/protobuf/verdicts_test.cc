// Random schemas' messages, good and damaged: our verdict against libprotobuf's own.
#include <gmock/gmock.h>
#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format.h>
#include <gtest/gtest.h>

#include <memory>

#include "protobuf/protobuf_check.h"
#include "protobuf_cases.h"
#include "tidegate/base/rng.h"

namespace tidegate::schema::protobuf {
namespace {

namespace pb = google::protobuf;

// A schema of random messages m0, m1, ... that hold each other.
class RandomSchema {
 public:
  explicit RandomSchema(Rng& rng) : rng_(rng), is_proto3_(rng.below(2) == 0) {
    text_ = is_proto3_ ? "syntax = \"proto3\"; enum E { E0 = 0; E1 = 1; E7 = 7; }\n"
                       : "syntax = \"proto2\"; enum E { E0 = 0; E1 = 1; E7 = 7; }\n";
    messages_ = 1 + rng.below(4);
    for (std::size_t i = 0; i < messages_; ++i) message(i);
  }
  const std::string& text() const { return text_; }

 private:
  void message(std::size_t index) {
    text_ += "message m" + std::to_string(index) + " {";
    number_ = 0;
    const std::size_t count = rng_.below(8);
    for (std::size_t i = 0; i < count; ++i) field(i);
    if (!is_proto3_ && rng_.below(3) == 0) {
      text_ += "extensions 1000 to 1100;}\nextend m" + std::to_string(index) + " { optional m0 x" +
               std::to_string(index) + " = 1005; repeated sint32 y" + std::to_string(index) + " = 1007; }\n";
    } else {
      text_ += "}\n";
    }
  }
  std::string next_number() {
    number_ += 1 + (rng_.below(4) == 0 ? rng_.below(40) : 0);
    return std::to_string(number_);
  }
  std::string scalar() {
    static const std::vector<std::string> kTypes = {
        "int32",   "int64",    "uint32",   "uint64", "sint32", "sint64", "bool",  "fixed32",
        "fixed64", "sfixed32", "sfixed64", "float",  "double", "string", "bytes", "E"};
    return kTypes[rng_.below(kTypes.size())];
  }
  std::string type() { return rng_.below(3) == 0 ? "m" + std::to_string(rng_.below(messages_)) : scalar(); }
  void field(std::size_t index) {
    const std::string name = "f" + std::to_string(index);
    switch (rng_.below(is_proto3_ ? 6 : 8)) {
      case 0:
        text_ += "repeated " + type() + " " + name + " = " + next_number() + ";";
        return;
      case 1:
        text_ += "map<" + std::string(rng_.below(2) == 0 ? "string" : "int32") + ", " + type() + "> " + name +
                 " = " + next_number() + ";";
        return;
      case 2:
        text_ += "oneof o" + name + " {" + type() + " " + name + "a = " + next_number() + ";" + type() + " " +
                 name + "b = " + next_number() + ";}";
        return;
      case 6:
        text_ += "required " + type() + " " + name + " = " + next_number() + ";";
        return;
      case 7:
        text_ += (rng_.below(2) == 0 ? "repeated" : "optional") + std::string(" group G") + name + " = " +
                 next_number() + " {" + (rng_.below(2) == 0 ? "required " : "optional ") + scalar() +
                 " a = " + next_number() + ";}";
        return;
      default:
        text_ += "optional " + type() + " " + name + " = " + next_number() + ";";
    }
  }

  Rng& rng_;
  bool is_proto3_;
  std::size_t messages_ = 0;
  std::size_t number_ = 0;
  std::string text_;
};

// libprotobuf's own way from a text to a verdict.
class Peer {
 public:
  explicit Peer(const std::string& text) {
    pb::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
    pb::io::Tokenizer tokens(&stream, nullptr);
    pb::FileDescriptorProto file;
    file.set_name("peer.proto");
    EXPECT_TRUE(pb::compiler::Parser().Parse(&tokens, &file)) << text;
    const pb::FileDescriptor* built = pool_.BuildFile(file);
    EXPECT_NE(built, nullptr) << text;
    root_ = built->message_type(0);
  }
  const pb::Descriptor& root() const { return *root_; }
  bool takes(std::string_view message) {
    const std::unique_ptr<pb::Message> into(factory_.GetPrototype(root_)->New());
    return into->ParseFromArray(message.data(), static_cast<int>(message.size()));
  }

 private:
  pb::DescriptorPool pool_;
  pb::DynamicMessageFactory factory_{&pool_};
  const pb::Descriptor* root_ = nullptr;
};

std::string varint(std::uint64_t number, Rng& rng) {
  std::string out;
  for (; number > 0x7f; number >>= 7) out += static_cast<char>(number | 0x80);
  out += static_cast<char>(number);
  if (rng.below(50) == 0) {  // longer than it needs to be
    out.back() = static_cast<char>(out.back() | '\x80');
    for (std::size_t more = rng.below(11); more > 0; --more) out += '\x80';
    out += '\0';
  }
  return out;
}

// Encoded fields of a message in any order, some of them several times, in pieces or left out; of other wire
// types and with bad content now and then.
class Writer {
 public:
  explicit Writer(Rng& rng) : rng_(rng) {}
  std::string message(const pb::Descriptor& type, int depth) {
    std::vector<const pb::FieldDescriptor*> fields;
    for (int i = 0; i < type.field_count(); ++i) {
      const auto* field = type.field(i);
      const std::size_t times = field->is_required() ? (rng_.below(12) != 0 ? 1 : 0) : rng_.below(3);
      for (std::size_t n = 0; n < times; ++n) fields.push_back(field);
    }
    if (type.extension_range_count() > 0) {
      std::vector<const pb::FieldDescriptor*> extensions;
      type.file()->pool()->FindAllExtensions(&type, &extensions);
      for (const auto* each : extensions) {
        if (rng_.below(2) == 0) fields.push_back(each);
      }
    }
    for (std::size_t i = fields.size(); i > 1; --i) std::swap(fields[i - 1], fields[rng_.below(i)]);
    std::string out;
    for (const auto* field : fields) {
      if (rng_.below(20) == 0) out += unknown(static_cast<std::uint32_t>(1 + rng_.below(60)), depth);
      if (rng_.below(40) == 0) {
        out += unknown(static_cast<std::uint32_t>(field->number()), depth);
      } else {
        out += value(*field, depth);
      }
    }
    return out;
  }

 private:
  std::string tag(std::uint32_t number, int type) {
    return varint(static_cast<std::uint64_t>(number) << 3 | static_cast<std::uint32_t>(type), rng_);
  }
  std::string sized(const std::string& content) { return varint(content.size(), rng_) + content; }
  std::string text() {
    static const std::vector<std::string> kTexts = {"", "abc", "\xc3\xbc", std::string(20, 'x'),
                                                    "\xf0\x9f\x98\x80"};
    return rng_.below(60) == 0 ? std::string("\xed\xa0\x80") : kTexts[rng_.below(kTexts.size())];
  }
  std::string number(const pb::FieldDescriptor& field) {
    switch (pb::internal::WireFormat::WireTypeForFieldType(field.type())) {
      case pb::internal::WireFormatLite::WIRETYPE_FIXED32:
        return "abcd";
      case pb::internal::WireFormatLite::WIRETYPE_FIXED64:
        return "abcdefgh";
      default:
        return varint(rng_.below(3) == 0 ? rng_.next() : rng_.below(9), rng_);
    }
  }
  std::string value(const pb::FieldDescriptor& field, int depth) {
    const auto at = static_cast<std::uint32_t>(field.number());
    if (field.type() == pb::FieldDescriptor::TYPE_GROUP) {
      return tag(at, 3) + message(*field.message_type(), depth + 1) + tag(at, 4);
    }
    if (field.type() == pb::FieldDescriptor::TYPE_MESSAGE) {
      return tag(at, 2) + sized(depth > 4 ? "" : message(*field.message_type(), depth + 1));
    }
    if (field.type() == pb::FieldDescriptor::TYPE_STRING || field.type() == pb::FieldDescriptor::TYPE_BYTES) {
      return tag(at, 2) + sized(text());
    }
    if (field.is_repeated() && rng_.below(2) == 0) {
      std::string packed;
      for (std::size_t i = rng_.below(4); i > 0; --i) packed += number(field);
      return tag(at, 2) + sized(packed);
    }
    return tag(at, pb::internal::WireFormat::WireTypeForFieldType(field.type())) + number(field);
  }
  std::string unknown(std::uint32_t number, int depth) {
    switch (rng_.below(5)) {
      case 0:
        return tag(number, 0) + varint(rng_.next(), rng_);
      case 1:
        return tag(number, 1) + "abcdefgh";
      case 2:
        return tag(number, 2) + sized(text());
      case 3:
        return tag(number, 5) + "abcd";
      default:
        return tag(number, 3) + (depth < 4 ? unknown(number + 1, depth + 1) : "") + tag(number, 4);
    }
  }

  Rng& rng_;
};

std::string damaged(std::string message, Rng& rng) {
  if (message.empty()) return std::string(1, static_cast<char>(rng.below(256)));
  for (std::size_t times = 1 + rng.below(3); times > 0 && !message.empty(); --times) {
    const std::size_t at = rng.below(message.size());
    switch (rng.below(5)) {
      case 0:
        message.resize(at);
        break;
      case 1:
        message[at] = static_cast<char>(rng.below(256));
        break;
      case 2:
        message.erase(at, 1 + rng.below(3));
        break;
      case 3:
        message.insert(at, 1, static_cast<char>(rng.below(256)));
        break;
      default:
        message[at] = static_cast<char>(message[at] ^ (1 << rng.below(8)));
    }
  }
  return message;
}

class Quiet {
 public:
  Quiet() : before_(pb::SetLogHandler(nullptr)) {}
  ~Quiet() { pb::SetLogHandler(before_); }

 private:
  pb::LogHandler* before_;
};

TEST(ProtobufVerdicts, AreThoseOfLibprotobuf) {
  const Quiet quiet;
  constexpr std::uint64_t kSeed = 20261123;
  SeededRng rng(kSeed);
  std::size_t taken = 0;
  std::size_t refused = 0;
  for (int i = 0; i < 300; ++i) {
    const RandomSchema random(rng);
    const Schema schema = compiled(random.text());
    Peer peer(random.text());
    const std::uint32_t root = schema.find(std::vector<std::uint32_t>{0}).first;
    ASSERT_EQ(schema.message(root).name, peer.root().full_name());
    for (int n = 0; n < 40; ++n) {
      std::string message = Writer(rng).message(peer.root(), 0);
      if (n % 2 == 1) message = damaged(std::move(message), rng);
      const bool theirs = peer.takes(message);
      const std::string ours = check_message(schema, root, exact(message));
      (theirs ? taken : refused) += 1;
      ASSERT_EQ(ours.empty(), theirs)
          << "seed " << kSeed << ", schema " << i << ": " << random.text() << "\nours: " << ours << "\n"
          << ::testing::PrintToString(exact(message));
    }
  }
  EXPECT_GT(taken, 2000U);
  EXPECT_GT(refused, 2000U);
}

}  // namespace
}  // namespace tidegate::schema::protobuf
