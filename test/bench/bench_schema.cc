// What it costs to see whether a record is an encoding of its schema, and to compile a schema. A
// micro-benchmark for the developer at work; no test looks at it.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

#include "avro/avro_check.h"

namespace tidegate::schema::avro {
namespace {

constexpr std::string_view kTenFields = R"({"type":"record","name":"Order","namespace":"shop","fields":[
  {"name":"id","type":"long"},
  {"name":"customer","type":{"type":"string","logicalType":"uuid"}},
  {"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},
  {"name":"note","type":["null","string"],"default":null},
  {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
  {"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","PAID","SENT"]}},
  {"name":"tags","type":{"type":"array","items":"string"}},
  {"name":"weight","type":"double"},
  {"name":"gift","type":"boolean"},
  {"name":"address","type":["null",{"type":"record","name":"Address","fields":[
    {"name":"street","type":"string"},{"name":"city","type":"string"}]}]}]})";

void put_text(std::vector<std::uint8_t>& out, std::string_view text) {
  out.push_back(static_cast<std::uint8_t>(text.size() * 2));
  out.insert(out.end(), text.begin(), text.end());
}

std::vector<std::uint8_t> sample() {
  std::vector<std::uint8_t> out = {0xa0, 0x8d, 0x06};  // id
  put_text(out, "8f14e45f-ceea-467f-9a36-dedd4bea2543");
  out.insert(out.end(), {0x80, 0xa0, 0xd8, 0xa9, 0xe1, 0xd5, 0x86, 0x06, 0x02});  // at; note: branch 1
  put_text(out, "leave it with the neighbours");
  out.insert(out.end(), {0x06, 0x01, 0x02, 0x03, 0x02, 0x04});  // amount, state, two tags
  put_text(out, "fragile");
  put_text(out, "express");
  out.push_back(0);
  out.insert(out.end(), {0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x01, 0x02});  // weight, gift; address: branch 1
  put_text(out, "Main Street 12");
  put_text(out, "Springfield");
  return out;
}

void check_ten_fields(benchmark::State& state) {
  const Schema schema = Schema::compile(kTenFields).value();
  const auto datum = sample();
  if (const auto problem = check(schema, datum); !problem.empty()) state.SkipWithError(problem.c_str());
  for (auto _ : state) benchmark::DoNotOptimize(check(schema, datum));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(check_ten_fields);

void compile_ten_fields(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Schema::compile(kTenFields));
}
BENCHMARK(compile_ten_fields);

}  // namespace
}  // namespace tidegate::schema::avro

BENCHMARK_MAIN();
