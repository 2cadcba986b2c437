// The suite of the Java clients (kafka-clients 4.4): producer, consumer with partitions assigned
// by hand, and admin. Prints one PASS, FAIL or SKIP line a case; test/clients/run reads them.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.TransactionalIdAuthorizationException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.*;

public class Suite {
  static final String BOOTSTRAP = System.getenv("TG_BOOTSTRAP");
  static final String PROXIED = System.getenv("TG_PROXIED");
  static final boolean GROWS = !"0".equals(System.getenv("TG_GROWS"));
  static final boolean DURABLE = "1".equals(System.getenv("TG_DURABLE"));
  static final long BASE_MS = 1_600_000_000_000L;
  static final long WAIT_S = 30;

  interface Body { void run() throws Exception; }
  static class Skip extends Exception { Skip(String why) { super(why); } }

  static boolean failed = false;
  static Admin admin;

  static void check(String name, Body body) {
    String wanted = System.getenv("TG_CASE");
    if (wanted != null && !name.contains(wanted)) return;
    CompletableFuture<Throwable> done = new CompletableFuture<>();
    Thread thread = new Thread(() -> {
      try { body.run(); done.complete(null); } catch (Throwable t) { done.complete(t); }
    });
    thread.setDaemon(true);
    thread.start();
    Throwable problem;
    try { problem = done.get(180, TimeUnit.SECONDS); } catch (Exception e) { problem = e; }
    if (problem instanceof Skip) System.out.println("SKIP " + name + ": " + problem.getMessage());
    else if (problem == null) System.out.println("PASS " + name);
    else {
      failed = true;
      problem.printStackTrace(System.out);
      System.out.println("FAIL " + name + ": " + String.valueOf(problem).replace('\n', ' '));
    }
    System.out.flush();
  }

  static void equal(Object got, Object want, String what) {
    if (!Objects.equals(got, want)) {
      throw new AssertionError(what + ": got " + shorten(got) + ", wanted " + shorten(want));
    }
  }

  static void require(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }

  static String shorten(Object value) {
    String text = String.valueOf(value);
    return text.length() < 300 ? text : text.substring(0, 300) + "...";
  }

  static List<String> control(String command) throws Exception {
    String[] address = System.getenv("TG_CONTROL").split(":");
    try (Socket socket = new Socket(address[0], Integer.parseInt(address[1]))) {
      socket.setSoTimeout(90_000);
      socket.getOutputStream().write((command + "\n").getBytes(StandardCharsets.UTF_8));
      String answer = new BufferedReader(new InputStreamReader(socket.getInputStream())).readLine();
      require(answer != null && answer.startsWith("ok"), command + ": " + answer);
      return Arrays.asList(answer.split(" ")).subList(1, answer.split(" ").length);
    }
  }

  static <T> T get(Future<T> future) throws Exception {
    try {
      return future.get(WAIT_S, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Exception cause) throw cause;
      throw e;
    }
  }

  static void refuses(Class<? extends Exception> error, Body body, String what) throws Exception {
    try {
      body.run();
    } catch (Exception e) {
      require(error.isInstance(e), what + ": " + e + ", wanted " + error.getSimpleName());
      return;
    }
    throw new AssertionError(what + " was accepted");
  }

  /** Kafka's controller answers a change before its broker part has applied it. */
  static void eventually(Body body) throws Exception {
    for (int left = 50; ; left--) {
      try {
        body.run();
        return;
      } catch (AssertionError e) {
        if (left == 0) throw e;
        Thread.sleep(100);
      }
    }
  }

  static String create(String prefix, int partitions) throws Exception {
    return create(prefix, partitions, Map.of());
  }

  static String create(String prefix, int partitions, Map<String, String> configs) throws Exception {
    String name = prefix + "-" + UUID.randomUUID().toString().substring(0, 8);
    get(admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(configs))).all());
    return name;
  }

  static KafkaProducer<byte[], byte[]> producer(Object... settings) {
    Properties p = new Properties();
    p.put("bootstrap.servers", BOOTSTRAP);
    p.put("linger.ms", "2");
    p.put("delivery.timeout.ms", "60000");
    p.put("retry.backoff.ms", "50");
    p.put("reconnect.backoff.ms", "20");
    for (int i = 0; i < settings.length; i += 2) p.put(settings[i], settings[i + 1]);
    return new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
  }

  static KafkaConsumer<byte[], byte[]> consumer(Object... settings) {
    Properties p = new Properties();
    p.put("bootstrap.servers", BOOTSTRAP);
    p.put("auto.offset.reset", "none");
    p.put("enable.auto.commit", "false");
    for (int i = 0; i < settings.length; i += 2) p.put(settings[i], settings[i + 1]);
    return new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  static ProducerRecord<byte[], byte[]> record(String topic, int partition, byte[] value) {
    return new ProducerRecord<>(topic, partition, null, value);
  }

  static void sendAll(KafkaProducer<byte[], byte[]> producer,
                      Collection<ProducerRecord<byte[], byte[]>> records) throws Exception {
    List<Future<RecordMetadata>> futures = new ArrayList<>();
    for (var record : records) futures.add(producer.send(record));
    producer.flush();
    for (var future : futures) get(future);
  }

  /** Exactly counts[p] records of each partition, from `from` on, then proof that none follow. */
  static List<List<ConsumerRecord<byte[], byte[]>>> read(String topic, long from, int... counts) {
    return read(consumer(), topic, from, counts);
  }

  static List<List<ConsumerRecord<byte[], byte[]>>> read(
      KafkaConsumer<byte[], byte[]> consumer, String topic, long from, int... counts) {
    try (consumer) {
      List<List<ConsumerRecord<byte[], byte[]>>> got = new ArrayList<>();
      List<TopicPartition> parts = new ArrayList<>();
      int total = 0;
      for (int p = 0; p < counts.length; p++) {
        parts.add(new TopicPartition(topic, p));
        got.add(new ArrayList<>());
        total += counts[p];
      }
      consumer.assign(parts);
      for (TopicPartition part : parts) consumer.seek(part, from);
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_S);
      int seen = 0;
      while (seen < total) {
        require(System.nanoTime() < deadline, "read only " + seen + " of " + total);
        for (var r : consumer.poll(Duration.ofMillis(500))) {
          got.get(r.partition()).add(r);
          seen++;
        }
      }
      equal(consumer.poll(Duration.ofMillis(300)).count(), 0, "records after the last");
      for (int p = 0; p < counts.length; p++) equal(got.get(p).size(), counts[p], "partition " + p);
      return got;
    }
  }

  static byte[] numbered(int partition, int number) {
    return (partition + ":" + number + ":" + "x".repeat(number % 200)).getBytes();
  }

  static void checkNumbered(List<List<ConsumerRecord<byte[], byte[]>>> got) {
    for (int p = 0; p < got.size(); p++) {
      for (int n = 0; n < got.get(p).size(); n++) {
        require(Arrays.equals(got.get(p).get(n).value(), numbered(p, n)),
            "partition " + p + " record " + n + " is " + new String(got.get(p).get(n).value()));
      }
    }
  }

  // ---- cases

  static void cluster() throws Exception {
    DescribeClusterResult found = admin.describeCluster();
    Collection<Node> nodes = get(found.nodes());
    equal(nodes.size(), 1, "brokers");
    require(!get(found.clusterId()).isEmpty(), "no cluster id");
    equal(get(found.controller()).id(), nodes.iterator().next().id(), "controller");
  }

  static Set<String> configNames(ConfigResource.Type type) throws Exception {
    Set<String> names = new java.util.HashSet<>();
    for (ConfigResource one : get(admin.listConfigResources(Set.of(type), new ListConfigResourcesOptions()).all())) {
      equal(one.type(), type, "type of " + one.name());
      names.add(one.name());
    }
    return names;
  }

  static void operations() throws Exception {
    String topic = create("java-operations", 2);
    TopicPartition partition = new TopicPartition(topic, 0);
    try (var producer = producer()) {
      sendAll(producer, List.of(new ProducerRecord<>(topic, 0, null, "v".getBytes())));
    }
    int node = get(admin.describeCluster().nodes()).iterator().next().id();
    require(configNames(ConfigResource.Type.TOPIC).contains(topic), "the topic has configs");
    require(configNames(ConfigResource.Type.BROKER).contains("" + node), "the broker has configs");

    var directories = get(admin.describeLogDirs(List.of(node)).allDescriptions()).get(node);
    equal(directories.size(), 1, "log directories");
    var replicas = directories.values().iterator().next().replicaInfos();
    require(replicas.get(partition).size() > 0, "size of a partition with a record");
    equal(replicas.get(new TopicPartition(topic, 1)).size(), 0L, "size of an empty partition");

    equal(get(admin.describeMetadataQuorum().quorumInfo()).leaderId(), node, "leader of the quorum");
    equal(get(admin.listPartitionReassignments().reassignments()).size(), 0, "reassignments");
    var elected = get(admin.electLeaders(org.apache.kafka.common.ElectionType.PREFERRED, Set.of(partition)).partitions());
    require(elected.get(partition).orElseThrow() instanceof org.apache.kafka.common.errors.ElectionNotNeededException,
        "election: " + elected);
    var producers = get(admin.describeProducers(List.of(partition)).partitionResult(partition)).activeProducers();
    equal(producers.size(), 1, "producers");
  }

  static void roundTrip() throws Exception {
    String topic = create("java-rt", 2);
    byte[] all = new byte[256];
    for (int i = 0; i < 256; i++) all[i] = (byte) i;
    List<Header> headers = List.of(new RecordHeader("a", "1".getBytes()),
        new RecordHeader("nothing", (byte[]) null), new RecordHeader("empty", new byte[0]),
        new RecordHeader("a", all), new RecordHeader("", "no name".getBytes()),
        new RecordHeader("\u00fcn\u00ef \u2713", all));
    List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
    for (byte[] key : new byte[][] {null, {}, "k".getBytes(), all}) {
      for (byte[] value : new byte[][] {null, {}, "v".getBytes(), all}) {
        for (List<Header> h : List.of(List.<Header>of(), headers)) {
          sent.add(new ProducerRecord<>(topic, 1, BASE_MS + 7 * sent.size(), key, value, h));
        }
      }
    }
    try (var producer = producer()) {
      sendAll(producer, sent);
    }
    var got = read(topic, 0, 0, sent.size()).get(1);
    for (int n = 0; n < sent.size(); n++) {
      var s = sent.get(n);
      var g = got.get(n);
      require(Arrays.equals(s.key(), g.key()), "key " + n);
      require(Arrays.equals(s.value(), g.value()), "value " + n);
      equal(g.headers(), s.headers(), "headers " + n);
      equal(g.timestamp(), s.timestamp(), "timestamp " + n);
      equal(g.timestampType(), TimestampType.CREATE_TIME, "timestamp type");
      equal(g.offset(), (long) n, "offset");
    }
  }

  static void codecs() throws Exception {
    for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      String topic = create("java-" + codec, 1);
      List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
      for (int n = 0; n < 500; n++) sent.add(record(topic, 0, numbered(0, n)));
      try (var producer = producer("compression.type", codec, "linger.ms", "50")) {
        sendAll(producer, sent);
      }
      checkNumbered(read(topic, 0, 500));
    }
  }

  static void topicCompression() throws Exception {
    String topic = create("java-recompress", 1, Map.of("compression.type", "zstd"));
    List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
    for (int n = 0; n < 500; n++) sent.add(record(topic, 0, numbered(0, n)));
    try (var producer = producer("compression.type", "gzip", "linger.ms", "20")) {
      sendAll(producer, sent);
    }
    checkNumbered(read(topic, 0, 500));
  }

  static void logAppendTime() throws Exception {
    String topic = create("java-append-time", 1, Map.of("message.timestamp.type", "LogAppendTime"));
    long begin = System.currentTimeMillis();
    try (var producer = producer()) {
      sendAll(producer, List.of(new ProducerRecord<>(topic, 0, BASE_MS, null, "v".getBytes())));
    }
    var got = read(topic, 0, 1).get(0).get(0);
    equal(got.timestampType(), TimestampType.LOG_APPEND_TIME, "timestamp type");
    require(got.timestamp() >= begin - 1000 && got.timestamp() <= System.currentTimeMillis() + 1000,
        "append time " + got.timestamp());
  }

  static void largeRecords() throws Exception {
    String topic = create("java-large", 1);
    byte[] value = new byte[900 * 1024];
    new Random(7).nextBytes(value);
    try (var producer = producer()) {
      sendAll(producer, List.of(record(topic, 0, value), record(topic, 0, value), record(topic, 0, value)));
    }
    for (var r : read(topic, 0, 3).get(0)) require(Arrays.equals(r.value(), value), "value differs");
    // A fetch limit below the size of one batch must still make progress.
    var small = consumer("fetch.max.bytes", "1024", "max.partition.fetch.bytes", "1024");
    for (var r : read(small, topic, 0, 3).get(0)) require(Arrays.equals(r.value(), value), "small fetch");
  }

  static void tooLarge() throws Exception {
    String topic = create("java-too-large", 1);
    try (var producer = producer("max.request.size", "8000000", "buffer.memory", "16000000")) {
      refuses(RecordTooLargeException.class,
          () -> get(producer.send(record(topic, 0, new byte[2 << 20]))), "a 2 MB record");
      sendAll(producer, List.of(record(topic, 0, numbered(0, 0))));
    }
    checkNumbered(read(topic, 0, 1));
    String tight = create("java-tight", 1, Map.of("max.message.bytes", "2000"));
    try (var producer = producer()) {
      refuses(RecordTooLargeException.class,
          () -> get(producer.send(record(tight, 0, new byte[4000]))), "more than max.message.bytes");
    }
  }

  static void offsetsByTime() throws Exception {
    String topic = create("java-time", 1);
    TopicPartition part = new TopicPartition(topic, 0);
    try (var producer = producer()) {
      for (int n = 0; n < 50; n++) {
        get(producer.send(new ProducerRecord<>(topic, 0, BASE_MS + 1000L * n, null, numbered(0, n))));
      }
    }
    try (var consumer = consumer()) {
      var found = consumer.offsetsForTimes(Map.of(part, BASE_MS + 20_500)).get(part);
      equal(found.offset(), 21L, "offset");
      equal(found.timestamp(), BASE_MS + 21_000, "timestamp");
      equal(consumer.offsetsForTimes(Map.of(part, BASE_MS + 99_000)).get(part), null, "after the last");
      equal(consumer.beginningOffsets(List.of(part)).get(part), 0L, "start");
      equal(consumer.endOffsets(List.of(part)).get(part), 50L, "end");
    }
    equal(listed(part, OffsetSpec.earliest()).offset(), 0L, "earliest");
    equal(listed(part, OffsetSpec.latest()).offset(), 50L, "latest");
    equal(listed(part, OffsetSpec.maxTimestamp()).offset(), 49L, "max timestamp");
    equal(listed(part, OffsetSpec.forTimestamp(BASE_MS + 1)).offset(), 1L, "for timestamp");
    equal(listed(part, OffsetSpec.earliestLocal()).offset(), 0L, "earliest local");
    equal(listed(part, OffsetSpec.latestTiered()).offset(), -1L, "latest tiered");
  }

  static ListOffsetsResult.ListOffsetsResultInfo listed(TopicPartition part, OffsetSpec spec) throws Exception {
    return get(admin.listOffsets(Map.of(part, spec)).partitionResult(part));
  }

  static void topicAdmin() throws Exception {
    String name = create("java-admin", 2, Map.of("retention.ms", "3600000", "cleanup.policy",
        GROWS ? "compact" : "delete"));
    TopicDescription found = get(admin.describeTopics(List.of(name)).allTopicNames()).get(name);
    equal(found.partitions().size(), 2, "partitions");
    for (TopicPartitionInfo p : found.partitions()) {
      require(p.leader() != null, "no leader");
      equal(p.replicas().size(), 1, "replicas");
      equal(p.isr().size(), 1, "isr");
    }
    var byId = get(admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(
        List.of(found.topicId()))).allTopicIds());
    equal(byId.get(found.topicId()).name(), name, "described by id");
    require(get(admin.listTopics().names()).contains(name), "not listed");
    refuses(TopicExistsException.class, () -> get(admin.createTopics(
        List.of(new NewTopic(name, 1, (short) 1))).all()), "create twice");
    refuses(InvalidTopicException.class, () -> get(admin.createTopics(
        List.of(new NewTopic("a b", 1, (short) 1))).all()), "bad name");
    refuses(InvalidPartitionsException.class, () -> get(admin.createTopics(
        List.of(new NewTopic(name + "x", 0, (short) 1))).all()), "zero partitions");
    refuses(InvalidReplicationFactorException.class, () -> get(admin.createTopics(
        List.of(new NewTopic(name + "x", 1, (short) 3))).all()), "three replicas on one node");
    refuses(InvalidConfigurationException.class, () -> get(admin.createTopics(List.of(
        new NewTopic(name + "x", 1, (short) 1).configs(Map.of("retention.ms", "soon")))).all()), "bad config");
    get(admin.createTopics(List.of(new NewTopic(name + "dry", 1, (short) 1)),
        new CreateTopicsOptions().validateOnly(true)).all());
    require(!get(admin.listTopics().names()).contains(name + "dry"), "validateOnly made a topic");
    if (GROWS) {
      get(admin.createPartitions(Map.of(name, NewPartitions.increaseTo(5))).all());
      equal(get(admin.describeTopics(List.of(name)).allTopicNames()).get(name).partitions().size(), 5, "grown");
    } else {
      refuses(InvalidPartitionsException.class, () -> get(admin.createPartitions(
          Map.of(name, NewPartitions.increaseTo(5))).all()), "growth");
    }
    refuses(InvalidPartitionsException.class, () -> get(admin.createPartitions(
        Map.of(name, NewPartitions.increaseTo(3))).all()), "shrink");
    get(admin.deleteTopics(List.of(name)).all());
    refuses(UnknownTopicOrPartitionException.class,
        () -> get(admin.describeTopics(List.of(name)).allTopicNames()), "describe after delete");
    refuses(UnknownTopicOrPartitionException.class, () -> get(admin.deleteTopics(List.of(name)).all()), "delete twice");
  }

  static void topicConfigs() throws Exception {
    String name = create("java-config", 1, Map.of("retention.ms", "3600000"));
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, name);
    Config before = get(admin.describeConfigs(List.of(resource)).all()).get(resource);
    equal(before.get("retention.ms").value(), "3600000", "at creation");
    equal(before.get("retention.ms").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "source");
    require(before.get("max.message.bytes").isDefault(), "max.message.bytes is not default");
    var set = new AlterConfigOp(new ConfigEntry("retention.ms", "7200000"), AlterConfigOp.OpType.SET);
    var append = new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND);
    if (!GROWS) {
      refuses(InvalidConfigurationException.class,
          () -> get(admin.incrementalAlterConfigs(Map.of(resource, List.of(append))).all()), "compaction");
    }
    get(admin.incrementalAlterConfigs(Map.of(resource, GROWS ? List.of(set, append) : List.of(set))).all());
    eventually(() -> {
      Config after = get(admin.describeConfigs(List.of(resource)).all()).get(resource);
      equal(after.get("retention.ms").value(), "7200000", "set");
      equal(after.get("cleanup.policy").value(), GROWS ? "delete,compact" : "delete", "append");
    });
    var reset = new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE);
    get(admin.incrementalAlterConfigs(Map.of(resource, List.of(reset))).all());
    eventually(() -> {
      Config last = get(admin.describeConfigs(List.of(resource)).all()).get(resource);
      require(last.get("retention.ms").isDefault(), "not default after DELETE");
    });
    var bad = new AlterConfigOp(new ConfigEntry("retention.ms", "soon"), AlterConfigOp.OpType.SET);
    refuses(InvalidConfigurationException.class,
        () -> get(admin.incrementalAlterConfigs(Map.of(resource, List.of(bad))).all()), "a bad value");
    String node = get(admin.describeCluster().nodes()).iterator().next().idString();
    ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, node);
    Config brokerConfig = get(admin.describeConfigs(List.of(broker)).all()).get(broker);
    require(brokerConfig.get("num.partitions") != null, "broker config without num.partitions");
  }

  static void deleteRecords() throws Exception {
    String topic = create("java-delete", 1);
    TopicPartition part = new TopicPartition(topic, 0);
    try (var producer = producer()) {
      for (int n = 0; n < 20; n++) get(producer.send(record(topic, 0, numbered(0, n))));
    }
    var done = admin.deleteRecords(Map.of(part, RecordsToDelete.beforeOffset(12))).lowWatermarks().get(part);
    equal(get(done).lowWatermark(), 12L, "low watermark");
    equal(read(topic, 12, 8).get(0).get(0).offset(), 12L, "first offset");
    equal(listed(part, OffsetSpec.earliest()).offset(), 12L, "earliest");
    try (var consumer = consumer()) {
      consumer.assign(List.of(part));
      consumer.seek(part, 3);
      refuses(OffsetOutOfRangeException.class, () -> {
        for (int n = 0; n < 20; n++) consumer.poll(Duration.ofMillis(500));
      }, "a read below the log's start");
    }
  }

  static void manyInOrder() throws Exception {
    String topic = create("java-many", 4);
    List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
    for (int n = 0; n < 10_000; n++) sent.add(record(topic, n % 4, numbered(n % 4, n / 4)));
    try (var producer = producer("batch.size", "4000")) {
      sendAll(producer, sent);
    }
    checkNumbered(read(topic, 0, 2500, 2500, 2500, 2500));
  }

  /** So many producers at the same time, two turns of one record each. */
  static void twoHundredConnections() throws Exception {
    String topic = create("java-200", 2);
    List<KafkaProducer<byte[], byte[]>> producers = new ArrayList<>();
    try {
      for (int n = 0; n < 200; n++) producers.add(producer("linger.ms", "0", "buffer.memory", "100000"));
      for (int turn = 0; turn < 2; turn++) {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (var producer : producers) sent.add(producer.send(record(topic, turn, "v".getBytes())));
        for (var future : sent) get(future);
      }
    } finally {
      for (var producer : producers) producer.close(Duration.ofSeconds(5));
    }
    read(topic, 0, 200, 200);
  }

  static void idempotentRetry() throws Exception {
    String topic = create("java-retry", 1);
    long before = Long.parseLong(control("dropped").get(0));
    control("drop 0 3");
    List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
    for (int n = 0; n < 500; n++) sent.add(record(topic, 0, numbered(0, n)));
    try (var producer = producer("bootstrap.servers", PROXIED, "batch.size", "2000")) {
      sendAll(producer, sent);
    }
    equal(Long.parseLong(control("dropped").get(0)) - before, 3L, "answers lost by the proxy");
    checkNumbered(read(topic, 0, 500));
  }

  static void transactionsAreRefused() throws Exception {
    if ("kafka".equals(System.getenv("TG_SERVER"))) throw new Skip("Kafka has transactions");
    try (var producer = producer("transactional.id", "t1", "max.block.ms", "10000")) {
      // The client looks for its coordinator first, and is told that there is none for it.
      refuses(TransactionalIdAuthorizationException.class, producer::initTransactions, "initTransactions");
    }
  }

  static KafkaConsumer<byte[], byte[]> member(String group, String topic, String... config) {
    Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", BOOTSTRAP, "group.id", group,
        "auto.offset.reset", "earliest", "enable.auto.commit", "false", "session.timeout.ms", "10000",
        "heartbeat.interval.ms", "500", "reconnect.backoff.ms", "20"));
    for (int n = 0; n < config.length; n += 2) settings.put(config[n], config[n + 1]);
    boolean modern = "consumer".equals(settings.get("group.protocol"));
    // Of KIP-848 groups the server says these.
    if (modern) settings.keySet().removeAll(Set.of("session.timeout.ms", "heartbeat.interval.ms"));
    var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    // Without a delay before the first assignment the first member may have read what goes to the second.
    if (modern) consumer.subscribe(List.of(topic), new ConsumerGroups.Commits(consumer));
    else consumer.subscribe(List.of(topic));
    return consumer;
  }

  /** Polls all of them in turn until the condition holds. */
  static void pollUntil(List<KafkaConsumer<byte[], byte[]>> members, Map<Integer, List<byte[]>> into,
      java.util.function.BooleanSupplier done, String what) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(2 * WAIT_S);
    while (!done.getAsBoolean()) {
      require(System.nanoTime() < deadline, what + " never happened");
      for (var member : members) {
        for (var record : member.poll(Duration.ofMillis(100))) {
          into.computeIfAbsent(record.partition(), p -> new ArrayList<>()).add(record.value());
        }
      }
    }
  }

  static int count(Map<Integer, List<byte[]>> values) {
    return values.values().stream().mapToInt(List::size).sum();
  }

  /** Two members share the partitions; when one leaves the other has all; nothing is read twice. */
  static void groupOfTwo(String... config) throws Exception {
    String topic = create("java-group", 4);
    List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
    for (int n = 0; n < 400; n++) sent.add(record(topic, n % 4, numbered(n % 4, n / 4)));
    try (var producer = producer()) {
      sendAll(producer, sent);
      Map<Integer, List<byte[]>> got = new TreeMap<>();
      try (var first = member(topic, topic, config)) {
        try (var second = member(topic, topic, config)) {
          pollUntil(List.of(first, second), got,
              () -> first.assignment().size() == 2 && second.assignment().size() == 2, "two and two partitions");
          require(Collections.disjoint(first.assignment(), second.assignment()), "a partition has two owners");
          pollUntil(List.of(first, second), got, () -> count(got) == 400, "400 records");
          first.commitSync();
          second.commitSync();
        }
        pollUntil(List.of(first), got, () -> first.assignment().size() == 4, "all partitions for who stays");
        List<ProducerRecord<byte[], byte[]>> later = new ArrayList<>();
        for (int n = 400; n < 800; n++) later.add(record(topic, n % 4, numbered(n % 4, n / 4)));
        sendAll(producer, later);
        pollUntil(List.of(first), got, () -> count(got) >= 800, "800 records");
        first.commitSync();
      }
      for (int p = 0; p < 4; p++) {
        equal(got.get(p).size(), 200, "records of partition " + p);
        for (int n = 0; n < 200; n++) {
          require(Arrays.equals(got.get(p).get(n), numbered(p, n)), "partition " + p + " record " + n);
        }
      }
    }
  }

  /** Reads some, commits, the server goes; the next member goes on where the commit was. */
  static void groupOverRestart(String command) throws Exception {
    if (!DURABLE) throw new Skip("the engine keeps nothing over a restart");
    String topic = create("java-group-" + command, 1);
    try (var producer = producer()) {
      List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
      for (int n = 0; n < 300; n++) sent.add(record(topic, 0, numbered(0, n)));
      sendAll(producer, sent);
    }
    Map<Integer, List<byte[]>> got = new TreeMap<>();
    try (var consumer = member(topic, topic, "max.poll.records", "50")) {
      pollUntil(List.of(consumer), got, () -> count(got) >= 100, "100 records");
      consumer.commitSync();
      int committed = count(got);
      control(command);
      // The member that lived through it is still in its group, and its commits go on.
      pollUntil(List.of(consumer), got, () -> count(got) >= committed + 50, "records after the restart");
      consumer.commitSync();
    }
    try (var consumer = member(topic, topic)) {
      equal(consumer.committed(Set.of(new TopicPartition(topic, 0))).get(new TopicPartition(topic, 0)).offset(),
          (long) count(got), "committed offset");
      pollUntil(List.of(consumer), got, () -> count(got) >= 300, "the rest");
    }
    equal(count(got), 300, "records, each once");
    for (int n = 0; n < 300; n++) require(Arrays.equals(got.get(0).get(n), numbered(0, n)), "record " + n);
  }

  static void restart(String command) throws Exception {
    if (!DURABLE) throw new Skip("the engine keeps nothing over a restart");
    String topic = create("java-" + command, 2);
    CompletableFuture<Void> restarted = null;
    List<Future<RecordMetadata>> futures = new ArrayList<>();
    try (var producer = producer()) {
      for (int n = 0; n < 4000; n++) {
        futures.add(producer.send(record(topic, n % 2, numbered(n % 2, n / 2))));
        if (n % 20 == 0) Thread.sleep(2);
        if (n == 1000) {
          restarted = CompletableFuture.runAsync(() -> {
            try { control(command); } catch (Exception e) { throw new RuntimeException(e); }
          });
        }
      }
      get(restarted);
      producer.flush();
      for (int n = 0; n < futures.size(); n++) {
        equal(get(futures.get(n)).offset(), (long) (n / 2), "offset of record " + n);
      }
    }
    checkNumbered(read(topic, 0, 2000, 2000));
  }

  public static void main(String[] arguments) throws Exception {
    admin = Admin.create(Map.of("bootstrap.servers", BOOTSTRAP, "reconnect.backoff.ms", 20));
    Map<String, Body> cases = new LinkedHashMap<>();
    cases.put("cluster", Suite::cluster);
    cases.put("operations", Suite::operations);
    cases.put("round_trip", Suite::roundTrip);
    cases.put("codecs", Suite::codecs);
    cases.put("topic_compression", Suite::topicCompression);
    cases.put("log_append_time", Suite::logAppendTime);
    cases.put("large_records", Suite::largeRecords);
    cases.put("too_large", Suite::tooLarge);
    cases.put("offsets_by_time", Suite::offsetsByTime);
    cases.put("topic_admin", Suite::topicAdmin);
    cases.put("topic_configs", Suite::topicConfigs);
    cases.put("delete_records", Suite::deleteRecords);
    cases.put("many_in_order", Suite::manyInOrder);
    cases.put("two_hundred_connections", Suite::twoHundredConnections);
    cases.put("idempotent_retry", Suite::idempotentRetry);
    cases.put("transactions_are_refused", Suite::transactionsAreRefused);
    cases.put("group_of_two_range", () -> groupOfTwo("partition.assignment.strategy", RangeAssignor.class.getName()));
    cases.put("group_of_two_cooperative",
        () -> groupOfTwo("partition.assignment.strategy", CooperativeStickyAssignor.class.getName()));
    cases.put("group_over_restart", () -> groupOverRestart("restart"));
    cases.put("group_over_kill", () -> groupOverRestart("kill"));
    ConsumerGroups.addTo(cases);
    Quotas.addTo(cases);
    cases.put("restart_in_the_middle", () -> restart("restart"));
    cases.put("kill_in_the_middle", () -> restart("kill"));
    cases.forEach(Suite::check);
    admin.close(Duration.ofSeconds(2));
    System.exit(failed ? 1 : 0);
  }
}
