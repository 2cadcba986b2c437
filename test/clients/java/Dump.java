// Reads partitions from their beginning to the end that they have at the start and writes each record as one
// line of JSON, bytes in hexadecimal digits. Arguments: BOOTSTRAP TOPIC PARTITIONS.
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Dump {
  private static String hex(byte[] bytes) {
    return bytes == null ? "null" : '"' + HexFormat.of().formatHex(bytes) + '"';
  }

  private static void print(ConsumerRecord<byte[], byte[]> record) {
    StringBuilder headers = new StringBuilder();
    for (Header header : record.headers()) {
      if (headers.length() > 0) headers.append(", ");
      headers.append("[\"").append(header.key()).append("\", ").append(hex(header.value())).append(']');
    }
    System.out.printf("[%d, %d, %s, %s, %d, [%s]]%n", record.partition(), record.offset(), hex(record.key()),
        hex(record.value()), record.timestamp(), headers);
  }

  public static void main(String[] arguments) {
    Properties p = new Properties();
    p.put("bootstrap.servers", arguments[0]);
    p.put("enable.auto.commit", "false");
    p.put("auto.offset.reset", "none");
    try (var consumer = new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> all = new ArrayList<>();
      for (int n = 0; n < Integer.parseInt(arguments[2]); ++n) all.add(new TopicPartition(arguments[1], n));
      Map<TopicPartition, Long> ends = consumer.endOffsets(all);
      consumer.assign(all);
      consumer.seekToBeginning(all);
      while (all.stream().anyMatch(one -> consumer.position(one) < ends.get(one))) {
        consumer.poll(Duration.ofMillis(500)).forEach(Dump::print);
      }
    }
  }
}
