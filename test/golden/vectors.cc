#include "golden/vectors.h"

#include <zlib.h>

#include <array>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "support/paths.h"

namespace tidegate::test {
namespace {

std::string inflate_file(const std::filesystem::path& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) throw std::runtime_error("cannot open " + path.string());
  std::string out;
  std::array<char, 1U << 16> part;
  for (int n = 0; (n = gzread(file.get(), part.data(), part.size())) != 0;) {
    if (n < 0) throw std::runtime_error("cannot read " + path.string());
    out.append(part.data(), static_cast<std::size_t>(n));
  }
  return out;
}

SharedBuffer from_hex(const std::string& hex) {
  std::vector<std::uint8_t> bytes(hex.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  }
  return SharedBuffer::copy_of(bytes);
}

GoldenVector parse_vector(const std::string& line) {
  nlohmann::json json = nlohmann::json::parse(line);
  GoldenVector vector;
  vector.message = json.at("message").get<std::string>();
  vector.type = protocol::testkit::find_message_type(vector.message);
  vector.version = json.at("version").get<std::int16_t>();
  vector.correlation_id = json.at("correlation_id").get<std::int32_t>();
  if (json.contains("client_id") && !json["client_id"].is_null())
    vector.client_id = json["client_id"].get<std::string>();
  vector.unknown_tags = json.value("unknown_tags", false);
  vector.frame = from_hex(json.at("frame").get<std::string>());
  vector.body = std::move(json.at("body"));
  return vector;
}

}  // namespace

const std::vector<GoldenVector>& golden_vectors() {
  static const std::vector<GoldenVector> all = [] {
    std::vector<GoldenVector> vectors;
    std::istringstream lines(inflate_file(source_dir() / "test/golden/vectors.jsonl.gz"));
    for (std::string line; std::getline(lines, line);) vectors.push_back(parse_vector(line));
    return vectors;
  }();
  return all;
}

std::string read_golden_text(const std::string& file_name) {
  std::ifstream in(source_dir() / "test/golden" / file_name);
  if (!in) throw std::runtime_error("cannot open test/golden/" + file_name);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace tidegate::test
