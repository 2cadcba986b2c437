// Client quotas with the Java clients: set and described by the admin client, and obeyed: what the clients'
// own throttle metrics say, and that nothing is lost meanwhile.
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.MetricName;
import org.apache.kafka.common.errors.InvalidRequestException;
import org.apache.kafka.common.quota.*;

class Quotas {
  static final String USER = ClientQuotaEntity.USER;
  static final String CLIENT = ClientQuotaEntity.CLIENT_ID;

  static void addTo(Map<String, Suite.Body> cases) {
    cases.put("quotas_admin", Quotas::administration);
    cases.put("quotas_over_restart", Quotas::overRestart);
    cases.put("quotas_of_a_producer", Quotas::ofAProducer);
    cases.put("quotas_of_a_consumer", Quotas::ofAConsumer);
    cases.put("quotas_of_request_time", Quotas::ofRequestTime);
  }

  static String unique(String prefix) { return prefix + "-" + UUID.randomUUID().toString().substring(0, 8); }

  /** Type, name, type, name; a null name is the default. */
  static ClientQuotaEntity entity(String... words) {
    Map<String, String> entries = new HashMap<>();
    for (int i = 0; i < words.length; i += 2) entries.put(words[i], words[i + 1]);
    return new ClientQuotaEntity(entries);
  }

  static ClientQuotaAlteration.Op op(String key, Double value) { return new ClientQuotaAlteration.Op(key, value); }

  static void alter(ClientQuotaEntity entity, ClientQuotaAlteration.Op... ops) throws Exception {
    Suite.get(Suite.admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(ops)))).all());
  }

  static Map<ClientQuotaEntity, Map<String, Double>> described(ClientQuotaFilter filter) throws Exception {
    return Suite.get(Suite.admin.describeClientQuotas(filter).entities());
  }

  static ClientQuotaFilter only(ClientQuotaFilterComponent... components) {
    return ClientQuotaFilter.containsOnly(List.of(components));
  }

  static void administration() throws Exception {
    String user = unique("user"), client = unique("client");
    var both = entity(USER, user, CLIENT, client);
    var any = entity(USER, user, CLIENT, null);
    alter(both, op("producer_byte_rate", 1000.0), op("request_percentage", 12.5));
    alter(any, op("consumer_byte_rate", 2000.0));
    var ofUser = ClientQuotaFilterComponent.ofEntity(USER, user);
    Suite.eventually(() -> Suite.equal(
        described(only(ofUser, ClientQuotaFilterComponent.ofEntity(CLIENT, client))),
        Map.of(both, Map.of("producer_byte_rate", 1000.0, "request_percentage", 12.5)), "the client's"));
    Suite.eventually(() -> Suite.equal(
        described(only(ofUser, ClientQuotaFilterComponent.ofDefaultEntity(CLIENT))),
        Map.of(any, Map.of("consumer_byte_rate", 2000.0)), "the default's"));
    Suite.equal(described(only(ofUser, ClientQuotaFilterComponent.ofEntityType(CLIENT))).size(), 2, "both");
    Suite.equal(described(ClientQuotaFilter.contains(List.of(ofUser))).size(), 2, "any with the user");
    Suite.equal(described(only(ofUser)).size(), 0, "those of the user alone");

    Suite.refuses(InvalidRequestException.class, () -> alter(both, op("producer_byte_rate", -1.0)), "a negative rate");
    Suite.refuses(InvalidRequestException.class, () -> alter(both, op("no_such_rate", 1.0)), "an unknown key");
    Suite.refuses(InvalidRequestException.class, () -> alter(entity("sort", "x"), op("producer_byte_rate", 1.0)),
        "an unknown entity type");
    Suite.get(Suite.admin.alterClientQuotas(
        List.of(new ClientQuotaAlteration(both, List.of(op("producer_byte_rate", null)))),
        new AlterClientQuotasOptions().validateOnly(true)).all());
    alter(both, op("producer_byte_rate", 3000.0), op("request_percentage", null));
    Suite.eventually(() -> Suite.equal(
        described(only(ofUser, ClientQuotaFilterComponent.ofEntity(CLIENT, client))),
        Map.of(both, Map.of("producer_byte_rate", 3000.0)), "after the change"));
    alter(both, op("producer_byte_rate", null));
    alter(any, op("consumer_byte_rate", null));
    Suite.eventually(() -> Suite.equal(
        described(ClientQuotaFilter.contains(List.of(ofUser))).size(), 0, "after the removal"));
  }

  static void overRestart() throws Exception {
    if (!Suite.DURABLE) throw new Suite.Skip("the engine keeps nothing over a restart");
    var client = entity(CLIENT, unique("kept"));
    var filter = only(ClientQuotaFilterComponent.ofEntity(CLIENT, client.entries().get(CLIENT)));
    alter(client, op("producer_byte_rate", 12345.0));
    for (String command : List.of("restart", "kill")) {
      Suite.control(command);
      Suite.eventually(() -> Suite.equal(
          described(filter), Map.of(client, Map.of("producer_byte_rate", 12345.0)), "after " + command));
    }
    alter(client, op("producer_byte_rate", null));
  }

  static double metric(Map<MetricName, ? extends Metric> metrics, String group, String name) {
    for (var each : metrics.entrySet()) {
      if (each.getKey().group().equals(group) && each.getKey().name().equals(name)) {
        return (Double) each.getValue().metricValue();
      }
    }
    throw new AssertionError("no metric " + group + " " + name);
  }

  static double throttled(KafkaProducer<byte[], byte[]> producer) {
    return metric(producer.metrics(), "producer-metrics", "produce-throttle-time-max");
  }

  static List<ProducerRecord<byte[], byte[]>> records(String topic, int count, int size) {
    List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
    for (int n = 0; n < count; n++) {
      byte[] value = new byte[size];
      byte[] number = ("" + n + ":").getBytes();
      System.arraycopy(number, 0, value, 0, number.length);
      records.add(Suite.record(topic, 0, value));
    }
    return records;
  }

  static void checkNumbers(List<ConsumerRecord<byte[], byte[]>> got) {
    for (int n = 0; n < got.size(); n++) {
      Suite.require(new String(got.get(n).value()).startsWith(n + ":"), "record " + n);
    }
  }

  /** Three megabytes at 200 kB/s, of which the window gives the first two at once. */
  static final int COUNT = 300, SIZE = 10_000;
  static final double RATE = 200_000;

  static void ofAProducer() throws Exception {
    String topic = Suite.create("java-quota-produce", 1), client = unique("slow");
    alter(entity(CLIENT, client), op("producer_byte_rate", RATE));
    long begin = System.nanoTime();
    try (var producer = Suite.producer("client.id", client, "batch.size", "100000", "buffer.memory", "400000")) {
      Suite.sendAll(producer, records(topic, COUNT, SIZE));
      Suite.require(throttled(producer) > 0, "the producer was not told to wait");
    }
    double seconds = (System.nanoTime() - begin) / 1e9;
    // What it takes at the rate is 15 s, without the eleven that a window may hold.
    Suite.require(seconds > 3, "three megabytes took " + seconds + " s");
    try (var producer = Suite.producer("client.id", unique("free"), "batch.size", "100000")) {
      Suite.sendAll(producer, records(topic, COUNT, SIZE));
      Suite.equal(throttled(producer), 0.0, "throttle time of a client without a quota");
    }
    checkNumbers(Suite.read(topic, 0, 2 * COUNT).get(0).subList(0, COUNT));
    alter(entity(CLIENT, client), op("producer_byte_rate", null));
  }

  static void ofAConsumer() throws Exception {
    String topic = Suite.create("java-quota-consume", 1), client = unique("slow");
    try (var producer = Suite.producer("batch.size", "50000")) {
      Suite.sendAll(producer, records(topic, COUNT, SIZE));
    }
    alter(entity(CLIENT, client), op("consumer_byte_rate", RATE));
    long begin = System.nanoTime();
    var consumer = Suite.consumer("client.id", client, "max.partition.fetch.bytes", "100000");
    // Its metrics are gone once it is closed.
    double[] told = {0};
    List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
    try (consumer) {
      var partition = new org.apache.kafka.common.TopicPartition(topic, 0);
      consumer.assign(List.of(partition));
      consumer.seek(partition, 0);
      while (got.size() < COUNT) {
        Suite.require(System.nanoTime() - begin < 120e9, "read only " + got.size());
        consumer.poll(java.time.Duration.ofMillis(500)).forEach(got::add);
      }
      told[0] = metric(consumer.metrics(), "consumer-fetch-manager-metrics", "fetch-throttle-time-max");
    }
    checkNumbers(got);
    Suite.require(told[0] > 0, "the consumer was not told to wait");
    double seconds = (System.nanoTime() - begin) / 1e9;
    Suite.require(seconds > 3, "three megabytes took " + seconds + " s");
    alter(entity(CLIENT, client), op("consumer_byte_rate", null));
  }

  static void ofRequestTime() throws Exception {
    String topic = Suite.create("java-quota-time", 1), client = unique("busy");
    alter(entity(CLIENT, client), op("request_percentage", 0.001));
    try (var producer = Suite.producer("client.id", client)) {
      for (var record : records(topic, 5, 10)) Suite.get(producer.send(record));
      // A tenth of a millisecond is what the window gives to all of them.
      Suite.require(throttled(producer) > 0, "the producer was not told to wait");
      Suite.require(throttled(producer) <= 1000, "it was told to wait for " + throttled(producer) + " ms");
    }
    checkNumbers(Suite.read(topic, 0, 5).get(0));
    alter(entity(CLIENT, client), op("request_percentage", null));
  }
}
