// The Java load of the kill test: one idempotent acks=all producer at a steady rate over all
// partitions, until a line comes on its standard input, or its end.
// Arguments: NAME TOPIC PARTITIONS RATE.
import java.io.IOException;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class KillLoad {
  static final int QUEUE_RECORDS = 50_000;

  private final String name, topic;
  private final int partitions, rate;
  private final Recording history;
  private final KafkaProducer<byte[], String> producer;
  private final AtomicInteger underway = new AtomicInteger();
  private volatile boolean stopping = false;

  KillLoad(String name, String topic, int partitions, int rate) throws IOException {
    this.name = name;
    this.topic = topic;
    this.partitions = partitions;
    this.rate = rate;
    this.history = new Recording(name);
    Properties p = new Properties();
    p.put("bootstrap.servers", System.getenv("TG_BOOTSTRAP"));
    p.put("client.id", name);
    p.put("enable.idempotence", "true");
    p.put("acks", "all");
    p.put("linger.ms", "3");
    p.put("delivery.timeout.ms", "300000");
    p.put("max.block.ms", "300000");
    p.put("retry.backoff.ms", "20");
    p.put("retry.backoff.max.ms", "50");
    p.put("reconnect.backoff.ms", "10");
    p.put("reconnect.backoff.max.ms", "100");
    this.producer = new KafkaProducer<>(p, new ByteArraySerializer(), new StringSerializer());
  }

  private void send(int number) {
    int partition = number % partitions;
    String value = name + ":" + partition + ":" + number / partitions;
    Recording.Op op = history.invoke("send", "tp", topic + "-" + partition, "value", value,
        "chained", true);
    underway.incrementAndGet();
    String padded = value + " ".repeat(number % 300);
    producer.send(new ProducerRecord<>(topic, partition, null, padded), (metadata, error) -> {
      if (error == null) history.end(op, "ok", "offset", metadata.offset());
      else history.end(op, "unknown", "why", error.toString());
      underway.decrementAndGet();
    });
  }

  private void waitForStop() {
    try {
      System.in.read();
    } catch (IOException e) {
      // as good as its end
    }
    stopping = true;
  }

  void run() throws InterruptedException {
    Thread stop = new Thread(this::waitForStop);
    stop.setDaemon(true);
    stop.start();
    long begin = System.nanoTime();
    int number = 0;
    while (!stopping) {
      long due = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin) * rate / 1000;
      for (; number < due && underway.get() < QUEUE_RECORDS; number++) send(number);
      Thread.sleep(10);
    }
    producer.close(java.time.Duration.ofSeconds(120));
    if (underway.get() != 0) System.out.println("PROBLEM " + underway + " records without an outcome");
  }

  public static void main(String[] arguments) throws Exception {
    new KillLoad(arguments[0], arguments[1], Integer.parseInt(arguments[2]),
        Integer.parseInt(arguments[3])).run();
    System.exit(0);
  }
}
