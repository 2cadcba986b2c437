// The Java load of the compaction test: an idempotent acks=all producer that writes its own keys over and
// over, and deletes some. Its model, the last value of each key, goes to the file TG_MODEL at the end:
// key, tab, value; an empty value means deleted. Arguments: NAME TOPIC KEYS RECORDS RATE SEED.
import java.io.PrintWriter;
import java.util.Properties;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public class CompactLoad {
  static final int TOMBSTONE_ONE_IN = 10;

  static Properties settings(String name) {
    Properties p = new Properties();
    p.put("bootstrap.servers", System.getenv("TG_BOOTSTRAP"));
    p.put("client.id", name);
    p.put("enable.idempotence", "true");
    p.put("acks", "all");
    p.put("linger.ms", "5");
    p.put("compression.type", "lz4");
    p.put("delivery.timeout.ms", "300000");
    p.put("max.block.ms", "300000");
    p.put("retry.backoff.ms", "20");
    p.put("retry.backoff.max.ms", "50");
    p.put("reconnect.backoff.ms", "10");
    p.put("reconnect.backoff.max.ms", "100");
    return p;
  }

  // Text that no codec makes much smaller: the segments have to fill.
  static String noise(Random random, int length) {
    StringBuilder text = new StringBuilder(length);
    for (int i = 0; i < length; i++) text.append((char) ('!' + random.nextInt(94)));
    return text.toString();
  }

  public static void main(String[] arguments) throws Exception {
    String name = arguments[0], topic = arguments[1];
    int keys = Integer.parseInt(arguments[2]), records = Integer.parseInt(arguments[3]);
    int rate = Integer.parseInt(arguments[4]);
    Random random = new Random(Long.parseLong(arguments[5]));
    SortedMap<String, String> model = new TreeMap<>();
    AtomicReference<Exception> failure = new AtomicReference<>();
    try (var producer = new KafkaProducer<>(settings(name), new StringSerializer(), new StringSerializer())) {
      long begin = System.nanoTime();
      for (int i = 0; i < records && failure.get() == null; i++) {
        String key = name + "-" + random.nextInt(keys);
        String value = null;
        if (random.nextInt(TOMBSTONE_ONE_IN) != 0) value = i + ":" + noise(random, 200 + random.nextInt(400));
        model.put(key, value == null ? "" : value);
        producer.send(new ProducerRecord<>(topic, key, value), (metadata, error) -> {
          if (error != null) failure.compareAndSet(null, error);
        });
        long ahead_ms = i * 1000L / rate - (System.nanoTime() - begin) / 1_000_000;
        if (ahead_ms > 20) Thread.sleep(ahead_ms);
      }
      producer.flush();
    }
    try (PrintWriter out = new PrintWriter(System.getenv("TG_MODEL"))) {
      model.forEach((key, value) -> out.print(key + "\t" + value + "\n"));
    }
    if (failure.get() != null) System.out.println("PROBLEM " + failure.get());
    System.exit(failure.get() == null ? 0 : 1);
  }
}
