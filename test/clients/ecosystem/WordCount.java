// A Kafka Streams word count, at least once: lines are split into words, which move to the partition of their
// word by way of a repartition topic, and are counted in a store with a compacted changelog. Every new count
// is a record "word=count" of the output topic. SIGTERM ends it cleanly.
// Arguments: APPLICATION_ID INPUT OUTPUT STATE_DIRECTORY
import java.time.Duration;
import java.util.Arrays;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

public class WordCount {
  public static void main(String[] arguments) throws Exception {
    var strings = Serdes.String();
    var builder = new StreamsBuilder();
    builder.stream(arguments[1], Consumed.with(strings, strings))
        .flatMapValues(line -> Arrays.asList(line.split(" ")))
        .groupBy((key, word) -> word, Grouped.with("by-word", strings, strings))
        .count(Materialized.as("counts"))
        .toStream()
        .mapValues((word, count) -> word + "=" + count)
        .to(arguments[2], Produced.with(strings, strings));

    var settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[0]);
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("TG_BOOTSTRAP"));
    settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[3]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
    settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, strings.getClass());
    settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, strings.getClass());
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);  // each update is a record
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 500);
    settings.put("repartition.purge.interval.ms", 1000);
    // A member of Streams does not say that it leaves; its partitions move when its session ends.
    settings.put(StreamsConfig.consumerPrefix("session.timeout.ms"), 6000);
    settings.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), 500);
    settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");

    var ended = new CountDownLatch(1);
    var failed = new boolean[1];
    var streams = new KafkaStreams(builder.build(), settings);
    streams.setUncaughtExceptionHandler(error -> {
      error.printStackTrace();
      failed[0] = true;
      ended.countDown();
      return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    streams.setStateListener((now, before) -> {
      if (now == KafkaStreams.State.RUNNING) {
        System.out.println("RUNNING");
      }
    });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      boolean clean = streams.close(Duration.ofSeconds(30));
      System.out.println(clean ? "CLOSED" : "STILL CLOSING");
      ended.countDown();
    }));
    streams.start();
    ended.await();
    if (failed[0]) {
      Runtime.getRuntime().halt(1);
    }
  }
}
