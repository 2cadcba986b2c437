// A group member of the churn test: reads, commits what it has read, and records every poll, commit,
// assignment and revocation. SIGTERM makes it leave.
// Arguments: NAME GROUP TOPIC ASSIGNOR [INSTANCE]; ASSIGNOR is range, roundrobin, sticky,
// cooperative-sticky, several of them joined by commas, or consumer (KIP-848).
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

public class Member implements ConsumerRebalanceListener {
  private final String group, instance;
  private final boolean cooperative;
  private final Recording history;
  private final KafkaConsumer<byte[], String> consumer;
  private final Set<TopicPartition> held = new HashSet<>();
  /** Read and not known to be committed: a commit that a rebalance refused is tried again. */
  private final Map<TopicPartition, OffsetAndMetadata> pending = new LinkedHashMap<>();
  private volatile boolean stopping = false;

  Member(String name, String group, String assignor, String instance) throws Exception {
    this.group = group;
    this.instance = instance;
    this.cooperative = assignor.equals("cooperative-sticky");
    this.history = new Recording(name);
    Properties p = new Properties();
    p.put("bootstrap.servers", System.getenv("TG_BOOTSTRAP"));
    p.put("client.id", name);
    p.put("group.id", group);
    p.put("enable.auto.commit", "false");
    p.put("auto.offset.reset", "earliest");
    p.put("default.api.timeout.ms", "15000");
    p.put("reconnect.backoff.ms", "20");
    p.put("reconnect.backoff.max.ms", "200");
    p.put("retry.backoff.ms", "50");
    if (instance != null) p.put("group.instance.id", instance);
    if (assignor.equals("consumer")) {
      p.put("group.protocol", "consumer");
    } else {
      p.put("group.protocol", "classic");
      p.put("session.timeout.ms", System.getenv("TG_SESSION_MS"));
      p.put("heartbeat.interval.ms", "300");
      p.put("max.poll.interval.ms", "20000");
      Map<String, String> classes = Map.of("range", "Range", "roundrobin", "RoundRobin", "sticky", "Sticky",
          "cooperative-sticky", "CooperativeSticky");
      p.put("partition.assignment.strategy", Arrays.stream(assignor.split(","))
          .map(a -> "org.apache.kafka.clients.consumer." + classes.get(a) + "Assignor")
          .collect(Collectors.joining(",")));
    }
    this.consumer = new KafkaConsumer<>(p, new ByteArrayDeserializer(), new StringDeserializer());
  }

  private static List<String> names(Collection<TopicPartition> tps) {
    return new ArrayList<>(tps.stream().map(TopicPartition::toString).collect(Collectors.toCollection(TreeSet::new)));
  }

  private void own() {
    history.note("own", "group", group, "generation", consumer.groupMetadata().generationId(), "tps", names(held),
        "cooperative", cooperative, "instance", instance);
  }

  @Override public void onPartitionsAssigned(Collection<TopicPartition> added) {
    // The KIP-848 consumer that is fenced while it hands out partitions tells nobody that it lost
    // those. What it does not hold it does not read; a read would be found by the checker.
    held.retainAll(consumer.assignment());
    held.addAll(added);
    own();
    Map<TopicPartition, Recording.Op> asked = new LinkedHashMap<>();
    for (TopicPartition tp : added) asked.put(tp, history.invoke("resume", "group", group, "tp", tp.toString(), "offset", -1));
    if (added.isEmpty()) return;
    try {
      Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(new HashSet<>(added));
      for (TopicPartition tp : added) {
        OffsetAndMetadata at = committed.get(tp);
        history.end(asked.get(tp), "ok", "offset", at == null ? -1 : at.offset());
        if (at == null) history.note("seek", "positions", Map.of(tp.toString(), 0));
        consumer.seek(tp, at == null ? 0 : at.offset());
      }
    } catch (WakeupException e) {
      throw e;
    } catch (KafkaException e) {
      for (TopicPartition tp : added) history.end(asked.get(tp), "unknown", "why", e.toString());
    }
  }

  @Override public void onPartitionsRevoked(Collection<TopicPartition> gone) {
    held.removeAll(gone);
    pending.keySet().removeAll(gone);
    history.note("revoke", "group", group, "tps", names(gone));
    if (cooperative) own();
  }

  @Override public void onPartitionsLost(Collection<TopicPartition> gone) {
    held.removeAll(gone);
    pending.keySet().removeAll(gone);
    history.note("lost", "group", group, "tps", names(gone));
  }

  private void commit() {
    Map<TopicPartition, OffsetAndMetadata> offsets = new LinkedHashMap<>(pending);
    Map<String, Long> plain = new LinkedHashMap<>();
    offsets.forEach((tp, at) -> plain.put(tp.toString(), at.offset()));
    Recording.Op op = history.invoke("commit", "group", group, "offsets", plain);
    try {
      consumer.commitSync(offsets);
      history.end(op, "ok");
      pending.clear();
    } catch (WakeupException e) {
      history.end(op, "unknown", "why", e.toString());
      throw e;
    } catch (KafkaException e) {  // an earlier try of it may have arrived
      history.end(op, "unknown", "why", e.toString());
    }
  }

  private void step() {
    List<Object> records = new ArrayList<>();
    for (ConsumerRecord<byte[], String> r : consumer.poll(Duration.ofMillis(200))) {
      TopicPartition tp = new TopicPartition(r.topic(), r.partition());
      records.add(List.of(tp.toString(), r.offset(), r.value().strip()));
      pending.put(tp, new OffsetAndMetadata(r.offset() + 1));
    }
    if (!records.isEmpty()) history.note("poll", "records", records);
    if (!pending.isEmpty()) commit();
  }

  void run(String topic) {
    Thread main = Thread.currentThread();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      stopping = true;
      consumer.wakeup();
      try {
        main.join(15_000);
      } catch (InterruptedException e) {
        // the process ends anyway
      }
    }));
    consumer.subscribe(List.of(topic), this);
    while (!stopping) {
      try {
        step();
      } catch (WakeupException e) {
        // stopping is set
      } catch (KafkaException e) {
        System.out.println("NOTE " + e);
      }
    }
    consumer.close(org.apache.kafka.clients.consumer.CloseOptions.timeout(Duration.ofSeconds(5)));
    Runtime.getRuntime().halt(0);
  }

  public static void main(String[] arguments) throws Exception {
    new Member(arguments[0], arguments[1], arguments[3], arguments.length > 4 ? arguments[4] : null).run(arguments[2]);
  }
}
