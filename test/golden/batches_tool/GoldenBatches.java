// Prints record batches that the Java client writes and what it reads in them. See README.md.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.zip.CRC32C;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;

public class GoldenBatches {
    static final long T0 = 1_700_000_000_000L;
    static final int LONG_VALUE = 200;

    record Identity(long producerId, short epoch, int sequence, boolean transactional) {
        static final Identity NONE = new Identity(-1, (short) -1, -1, false);
    }

    public static void main(String[] args) throws Exception {
        switch (args.length == 1 ? args[0] : "") {
            case "write" -> writeAll();
            case "read" -> readAll();
            default -> {
                System.err.println("GoldenBatches write | read");
                System.exit(2);
            }
        }
    }

    static void writeAll() {
        for (CompressionType codec : CompressionType.values()) {
            write("keys-and-values", codec, 0, TimestampType.CREATE_TIME, Identity.NONE, keysAndValues());
            write("nulls-and-empties", codec, 100, TimestampType.CREATE_TIME, Identity.NONE, nullsAndEmpties());
            write("headers", codec, 1L << 40, TimestampType.CREATE_TIME, Identity.NONE, headers());
            write("times-going-back", codec, 7, TimestampType.CREATE_TIME, Identity.NONE, timesGoingBack());
            write("append-time", codec, 9, TimestampType.LOG_APPEND_TIME, Identity.NONE, keysAndValues());
            write("idempotent-wrap", codec, 20, TimestampType.CREATE_TIME,
                new Identity(4000, (short) 3, Integer.MAX_VALUE - 1, false), keysAndValues());
            write("transactional", codec, 30, TimestampType.CREATE_TIME,
                new Identity(Long.MAX_VALUE, Short.MAX_VALUE, 0, true), headers());
            write("several-blocks", codec, 40, TimestampType.CREATE_TIME, Identity.NONE,
                manyRecords(codec == CompressionType.NONE ? 12 : 60));
        }
        marker("marker-commit", ControlRecordType.COMMIT, 200, 4000, (short) 3, 9);
        marker("marker-abort", ControlRecordType.ABORT, 201, 4000, (short) 3, 9);
        marker("marker-commit-large", ControlRecordType.COMMIT, 1L << 50, Long.MAX_VALUE, Short.MAX_VALUE, Integer.MAX_VALUE);
        marker("marker-abort-zero", ControlRecordType.ABORT, 0, 0, (short) 0, 0);
    }

    static List<SimpleRecord> keysAndValues() {
        List<SimpleRecord> all = new ArrayList<>();
        for (int i = 0; i < 4; i++) all.add(new SimpleRecord(T0 + 3 * i, text("key-" + i), text("value " + i + " äöü")));
        return all;
    }

    static List<SimpleRecord> nullsAndEmpties() {
        return List.of(
            new SimpleRecord(T0, null, text("null key")),
            new SimpleRecord(T0, text("null value"), null),
            new SimpleRecord(T0, (byte[]) null, null),
            new SimpleRecord(T0, new byte[0], new byte[0]),
            new SimpleRecord(T0, new byte[0], null));
    }

    static List<SimpleRecord> headers() {
        Header[] few = {new RecordHeader("trace", text("abc")), new RecordHeader("trace", text("again")),
            new RecordHeader("none", (byte[]) null), new RecordHeader("", new byte[0])};
        Header[] many = new Header[70];  // a count of two bytes
        for (int i = 0; i < many.length; i++) many[i] = new RecordHeader("h" + i, new byte[] {(byte) i});
        return List.of(
            new SimpleRecord(T0, text("few"), text("v"), few),
            new SimpleRecord(T0 + 1, text("many"), text("v"), many),
            new SimpleRecord(T0 + 2, text("no"), text("v")));
    }

    static List<SimpleRecord> timesGoingBack() {
        long[] deltas = {0, -1, -64, -65, 1L << 33, -(1L << 33), 63, 64};
        List<SimpleRecord> all = new ArrayList<>();
        for (long delta : deltas) all.add(new SimpleRecord(T0 + delta, text("t"), text(Long.toString(delta))));
        return all;
    }

    // More than two 64 KiB blocks once the codec is not "none"; half of it does not compress.
    static List<SimpleRecord> manyRecords(int count) {
        Random random = new Random(count);
        List<SimpleRecord> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            byte[] value = new byte[count > 20 ? 2500 : 300];
            byte[] noise = new byte[count > 20 ? 60 : 30];
            random.nextBytes(noise);
            System.arraycopy(noise, 0, value, 0, noise.length);
            all.add(new SimpleRecord(T0 + i, text("key-" + i), value));
        }
        return all;
    }

    static void write(String name, CompressionType type, long baseOffset, TimestampType times, Identity id,
                      List<SimpleRecord> records) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 20), RecordBatch.MAGIC_VALUE_V2,
            Compression.of(type).build(), times, baseOffset, T0 + 777, id.producerId(), id.epoch(), id.sequence(),
            id.transactional(), 5);
        records.forEach(builder::append);
        print(name, builder.build());
    }

    static void marker(String name, ControlRecordType type, long offset, long producerId, short epoch, int coordinator) {
        print(name, MemoryRecords.withEndTransactionMarker(offset, T0 + 1000, 5, producerId, epoch,
            new EndTransactionMarker(type, coordinator)));
    }

    static void readAll() throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        int number = 0;
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            number++;
            print("line " + number, MemoryRecords.readableRecords(ByteBuffer.wrap(HexFormat.of().parseHex(line.trim()))));
        }
        System.err.println(number + " batches read");
    }

    static void print(String name, MemoryRecords records) {
        ByteBuffer buffer = records.buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        List<MutableRecordBatch> batches = new ArrayList<>();
        records.batches().forEach(batches::add);
        if (batches.size() != 1) throw new IllegalStateException(name + ": " + batches.size() + " batches");
        MutableRecordBatch batch = batches.get(0);
        batch.ensureValid();
        StringBuilder out = new StringBuilder();
        out.append("{\"name\":\"").append(name).append("\",\"codec\":\"").append(batch.compressionType().name);
        out.append("\",\"hex\":\"").append(HexFormat.of().formatHex(bytes)).append("\",\"header\":{");
        out.append("\"base_offset\":").append(batch.baseOffset());
        out.append(",\"last_offset\":").append(batch.lastOffset());
        out.append(",\"size_bytes\":").append(batch.sizeInBytes());
        out.append(",\"leader_epoch\":").append(batch.partitionLeaderEpoch());
        out.append(",\"crc\":").append(batch.checksum());
        out.append(",\"append_time\":").append(batch.timestampType() == TimestampType.LOG_APPEND_TIME);
        out.append(",\"transactional\":").append(batch.isTransactional());
        out.append(",\"control\":").append(batch.isControlBatch());
        out.append(",\"max_timestamp\":").append(batch.maxTimestamp());
        out.append(",\"producer_id\":").append(batch.producerId());
        out.append(",\"producer_epoch\":").append(batch.producerEpoch());
        out.append(",\"base_sequence\":").append(batch.baseSequence());
        out.append(",\"last_sequence\":").append(batch.lastSequence());
        out.append(",\"count\":").append(batch.countOrNull()).append("},\"records\":[");
        String comma = "";
        for (Record record : batch) {
            out.append(comma);
            comma = ",";
            print(out, record);
        }
        System.out.println(out.append("]}"));
    }

    static void print(StringBuilder out, Record record) {
        out.append("{\"offset\":").append(record.offset()).append(",\"timestamp\":").append(record.timestamp());
        out.append(",\"key\":").append(hex(bytes(record.key())));
        byte[] value = bytes(record.value());
        if (value != null && value.length > LONG_VALUE) {
            CRC32C crc = new CRC32C();
            crc.update(value);
            out.append(",\"value_size\":").append(value.length).append(",\"value_crc32c\":").append(crc.getValue());
        } else {
            out.append(",\"value\":").append(hex(value));
        }
        out.append(",\"headers\":[");
        String comma = "";
        for (Header header : record.headers()) {
            out.append(comma).append("[").append(hex(text(header.key()))).append(",").append(hex(header.value())).append("]");
            comma = ",";
        }
        out.append("]}");
    }

    static byte[] text(String s) {
        return s.getBytes(java.nio.charset.StandardCharsets.UTF_8);
    }

    static byte[] bytes(ByteBuffer buffer) {
        if (buffer == null) return null;
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "null" : "\"" + HexFormat.of().formatHex(bytes) + "\"";
    }
}
