// For avro_property_test.py: reads lines "SCHEMA<tab>HEX" and answers each with the reason, or with
// "good" and what becomes of it as columns: "proved" when its bytes come back from them, "text" when some of
// it is in a column that is not read back, "longer" when it was not written the shortest way.
#include <iostream>
#include <string>
#include <vector>

#include "avro/avro_check.h"
#include "avro/avro_columns.h"

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
    if (!problem.empty()) {
      std::cout << problem << '\n';
      continue;
    }
    const ColumnPlan plan(*schema);
    tidegate::ColumnRecord record;
    std::string again;
    const bool all = plan.read(datum, record);
    const bool written = plan.write(record, again);
    const bool same = written && tidegate::as_text(datum) == again;
    std::cout << "good, " << (!all ? "text" : same ? "proved" : written ? "longer" : "lost") << '\n';
  }
}
