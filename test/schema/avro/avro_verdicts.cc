// For avro_property_test.py: reads lines "SCHEMA<tab>HEX" and answers each with "good" or the reason.
#include <iostream>
#include <string>
#include <vector>

#include "avro/avro_check.h"

int main() {
  using namespace tidegate::schema::avro;
  std::string line;
  while (std::getline(std::cin, line)) {
    const std::size_t tab = line.find('\t');
    const auto schema = Schema::compile(std::string_view(line).substr(0, tab));
    if (!schema) {
      std::cout << "no schema: " << schema.error().message << '\n';
      continue;
    }
    std::vector<std::uint8_t> datum;
    for (std::size_t at = tab + 1; at + 1 < line.size(); at += 2) {
      datum.push_back(static_cast<std::uint8_t>(std::stoi(line.substr(at, 2), nullptr, 16)));
    }
    const std::string problem = check(*schema, datum);
    std::cout << (problem.empty() ? "good" : problem) << '\n';
  }
}
