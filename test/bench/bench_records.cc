// What one batch costs: CRC, header, walking records, each codec. Micro-benchmarks for the developer at
// work; no test looks at them. The batch is that of the macro benchmarks: about 64 KiB of 1 KB records, half
// of each noise.
#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <vector>

#include "tidegate/base/rng.h"
#include "tidegate/producers/producer_state_table.h"
#include "tidegate/protocol/batch_check.h"
#include "tidegate/protocol/compression.h"
#include "tidegate/protocol/record_batch.h"

namespace tidegate::protocol {
namespace {

constexpr int kRecords = 64;
constexpr std::size_t kValueBytes = 1000;

std::vector<NewRecord> sample_records() {
  SeededRng rng(1);
  std::vector<NewRecord> records;
  for (int i = 0; i < kRecords; ++i) {
    std::string value(kValueBytes, 'v');
    for (std::size_t at = 0; at < kValueBytes / 2; ++at) value[at] = static_cast<char>(rng.next());
    records.push_back({.timestamp = 1'700'000'000'000 + i,
                       .key = "key-" + std::to_string(i),
                       .value = value,
                       .headers = {}});
  }
  return records;
}

const RecordBatch& sample(Compression codec) {
  static std::map<Compression, RecordBatch> made;
  auto& batch = made[codec];
  if (batch.bytes.empty()) batch = build_batch(sample_records(), {.compression = codec}).value();
  return batch;
}

void count_bytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(bytes));
}

void crc(benchmark::State& state) {
  const std::vector<std::uint8_t> bytes(static_cast<std::size_t>(state.range(0)), 7);
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(bytes));
  count_bytes(state, bytes.size());
}
BENCHMARK(crc)->Arg(100)->Arg(1000)->Arg(64 << 10)->Arg(1 << 20);

void parse_header(benchmark::State& state) {
  const auto& batch = sample(Compression::none);
  for (auto _ : state) benchmark::DoNotOptimize(parse_batch_header(batch.bytes));
}
BENCHMARK(parse_header);

void check_produced(benchmark::State& state) {
  const auto& batch = sample(Compression::none);
  for (auto _ : state) benchmark::DoNotOptimize(check_produced_batch(batch.bytes, {}));
  count_bytes(state, batch.bytes.size());
}
BENCHMARK(check_produced);

void iterate(benchmark::State& state) {
  const auto& batch = sample(static_cast<Compression>(state.range(0)));
  for (auto _ : state) {
    std::size_t bytes = 0;
    auto walked = for_each_record(batch, {}, [&bytes](const RecordView& record) {
      bytes += record.value->size();
      return true;
    });
    benchmark::DoNotOptimize(walked);
    benchmark::DoNotOptimize(bytes);
  }
  count_bytes(state, sample(Compression::none).bytes.size());
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * kRecords);
}
BENCHMARK(iterate)->ArgName("codec")->DenseRange(0, 4);

void deflate(benchmark::State& state) {
  const auto plain = inflate_records(sample(Compression::none), {}).value();
  for (auto _ : state) benchmark::DoNotOptimize(compress(static_cast<Compression>(state.range(0)), plain));
  count_bytes(state, plain.size());
}
BENCHMARK(deflate)->ArgName("codec")->DenseRange(1, 4);

void prepare_idempotent(benchmark::State& state) {
  producers::ProducerStateTable table({}, 0);
  BatchHeader header = sample(Compression::none).header;
  header.producer_epoch = 0;
  const auto producer_count = state.range(0);
  std::vector<std::int32_t> sequences(static_cast<std::size_t>(producer_count), 0);
  std::int64_t next = 0;
  for (auto _ : state) {
    const auto producer = static_cast<std::size_t>(next++ % producer_count);
    header.producer_id = static_cast<std::int64_t>(producer);
    header.base_sequence = sequences[producer];
    header.base_offset = table.prepared_end();
    benchmark::DoNotOptimize(table.prepare(header, MonoTime{}));
    sequences[producer] =
        static_cast<std::int32_t>((std::int64_t{header.base_sequence} + kRecords) & 0x7fff'ffff);
    table.committed_up_to(table.prepared_end());
  }
}
BENCHMARK(prepare_idempotent)->ArgName("producers")->Arg(1)->Arg(1000);

}  // namespace
}  // namespace tidegate::protocol

BENCHMARK_MAIN();
