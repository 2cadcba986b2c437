// Where the fields of a record batch v2 header lie. Private to the record code: everyone else sees
// BatchHeader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace tidegate::protocol::batch_layout {

inline constexpr std::size_t kBaseOffset = 0;
inline constexpr std::size_t kBatchLength = 8;
inline constexpr std::size_t kLeaderEpoch = 12;
inline constexpr std::size_t kMagic = 16;
inline constexpr std::size_t kCrc = 17;
inline constexpr std::size_t kAttributes = 21;  // the CRC covers everything from here on
inline constexpr std::size_t kLastOffsetDelta = 23;
inline constexpr std::size_t kBaseTimestamp = 27;
inline constexpr std::size_t kMaxTimestamp = 35;
inline constexpr std::size_t kProducerId = 43;
inline constexpr std::size_t kProducerEpoch = 51;
inline constexpr std::size_t kBaseSequence = 53;
inline constexpr std::size_t kRecordsCount = 57;

inline constexpr std::int8_t kMagicValue = 2;
inline constexpr std::int32_t kMinBatchLength = 49;  // a header and no records
// The length field is a positive int32.
inline constexpr std::size_t kMaxRecordsBytes =
    static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()) - kMinBatchLength;

inline constexpr std::int16_t kCodecMask = 0x07;
inline constexpr std::int16_t kAppendTimeBit = 0x08;
inline constexpr std::int16_t kTransactionalBit = 0x10;
inline constexpr std::int16_t kControlBit = 0x20;
inline constexpr std::int16_t kDeleteHorizonBit = 0x40;

}  // namespace tidegate::protocol::batch_layout
