// Layout `record` on the broker path: one message of a SeaweedMQ broker is one Kafka record, key and value as
// they are, so that SeaweedMQ's subscribers and SQL engine read them. A broker gives a message nothing that
// readers pass over; so what a record has beside key and value, and all that belongs to the batch, is in an
// envelope in front of the value of the batch's first record (docs/seaweedmq.md has the bytes). The others
// are plain, but for values that begin as an envelope does. A batch that cannot be taken apart is one message
// that is an envelope alone.
//
// The envelope has a CRC of each message of the batch, which follow each other in the files as they do on the
// stream they were sent on. What lies between them is somebody else's, or of an owner of before, and is
// passed over. A batch that misses a record is not there; its owner sends it again. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker_message.h"
#include "record_layout.h"

namespace tidegate::storage::seaweedmq {

struct RecordMessage {
  std::string key;
  std::string value;
};

struct RecordMessages {
  std::vector<RecordMessage> messages;
  bool opaque = false;  // kept whole because it could not be taken apart
};

// What is above is kept whole.
struct RecordMessageLimits {
  // Of the batch when it is inflated, and of its messages.
  std::size_t max_bytes = 64U << 20;
  // Each has an answer, and takes some hundred bytes of memory until then.
  std::size_t max_messages = 100'000;
};

// In a partition that others publish to as well: our batches end at `own_end` so far, what others' messages
// in front have is from there to `base`, and our next batch begins at `base`.
struct GoesOn {
  Offset own_end = 0;
  Offset base = 0;
};
// As the envelope of its batch has it.
std::uint32_t message_crc(ByteView key, ByteView value);
RecordMessage goes_on_message(const MessageRank& rank, const GoesOn& place);

// `front` and `rest` together are the batch, as it is to be stored. Of `stored` what stands for a record's
// value is sent in its place.
RecordMessages record_messages(const protocol::BatchHeader& header, const SharedBuffer& front,
                               const SharedBuffer& rest, std::uint32_t session,
                               RecordMessageLimits limits = {},
                               const protocol::StoredValues* stored = nullptr);

// Puts batches together again from the messages of a partition, in the order of its files. Memory is bounded
// by the messages', whatever they claim.
class RecordMessageReader {
 public:
  RecordMessageReader() = default;
  explicit RecordMessageReader(ValueOfStored value_of) : value_of_(std::move(value_of)) {}

  struct Taken {
    // The batch that the message completes, or GoesOn.
    std::optional<BatchMessage> batch;
    // It is the first one of a batch; what was not complete before is not there.
    bool begins = false;
    // The batch that the message completes has a value that cannot be given back.
    std::optional<Error> damage;
    // It is a gateway's, void or not; the rest of a batch whose first message is not here does not count.
    bool ours = false;
    // Of sift: CRCs of the messages of batches that will not be put together any more.
    std::vector<std::uint32_t> strays = {};
  };
  enum class Purpose : std::uint8_t { batches, sift };
  // To sift is to tell whose the messages are: batches are not put together.
  explicit RecordMessageReader(Purpose purpose) : purpose_(purpose) {}
  // `chunk` has the bytes of `entry`; where a batch begins, it has to outlive the reader or the batch.
  Taken take(const LogEntry& entry, const SharedBuffer& chunk);
  // A batch has begun that misses records.
  bool is_open() const { return begun_.has_value(); }

 private:
  struct RecordFacts {
    std::uint8_t flags = 0;
    std::int64_t timestamp_delta = 0;
    ByteView headers;
    std::uint32_t crc = 0;  // of the message; of a batch's first one there is none
  };
  struct Begun {
    protocol::BatchHeader shape;
    MessageMark mark;
    RecordFacts next;        // of the record that comes next,
    ByteView facts;          // and of those behind it
    std::int32_t count = 0;  // of the records that were here
    std::string records;
    std::optional<Error> damage;
  };
  static std::optional<RecordFacts> take_facts(ByteView& from, bool first);
  // nullopt when it is damaged. `first` is left with its own value.
  static std::optional<Begun> parse_first(LogEntry& first);
  // Whether a batch of that rank may begin: nobody else's does, once there is one of a higher rank.
  bool may_begin(const MessageRank& rank) const;
  Taken add(const LogEntry& plain);
  static void put_strays(std::vector<std::uint32_t>& to, const Begun& from);

  ValueOfStored value_of_;
  Purpose purpose_ = Purpose::batches;
  std::optional<Begun> begun_;
};

}  // namespace tidegate::storage::seaweedmq
