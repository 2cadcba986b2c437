// Cases of the Java suite about KIP-848 groups (group.protocol=consumer): members, regular expressions, static
// members, what admin sees, and a live group on its way from the classic protocol and back.
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.UnreleasedInstanceIdException;
import org.apache.kafka.common.errors.UnsupportedAssignorException;
import org.apache.kafka.common.serialization.*;

class ConsumerGroups {
  static void addTo(Map<String, Suite.Body> cases) {
    cases.put("group_kip848_of_two", () -> Suite.groupOfTwo("group.protocol", "consumer"));
    cases.put("group_kip848_range", () -> Suite.groupOfTwo("group.protocol", "consumer",
        "group.remote.assignor", "range"));
    cases.put("group_kip848_over_kill", ConsumerGroups::overKill);
    cases.put("group_kip848_regex", ConsumerGroups::regex);
    cases.put("group_kip848_static", ConsumerGroups::staticMember);
    cases.put("group_kip848_refusals", ConsumerGroups::refusals);
    cases.put("group_kip848_described", ConsumerGroups::described);
    cases.put("group_kip848_upgrade_and_back", ConsumerGroups::upgradeAndBack);
  }

  /** Counts what is taken from its member. */
  static class Watch implements ConsumerRebalanceListener {
    int taken;
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) { taken += partitions.size(); }
  }

  /** Commits what its member has read before a partition goes to another one. */
  record Commits(KafkaConsumer<byte[], byte[]> member) implements ConsumerRebalanceListener {
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) { commit(member); }
  }

  /** False when the member is in the middle of joining again. */
  static boolean commit(KafkaConsumer<byte[], byte[]> member) {
    try {
      member.commitSync();
      return true;
    } catch (CommitFailedException | RebalanceInProgressException moving) {
      return false;
    }
  }

  static KafkaConsumer<byte[], byte[]> consumer(String group, String... config) {
    Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", Suite.BOOTSTRAP, "group.id", group,
        "group.protocol", "consumer", "auto.offset.reset", "earliest", "enable.auto.commit", "false",
        "reconnect.backoff.ms", "20", "metadata.max.age.ms", "500"));
    for (int n = 0; n < config.length; n += 2) settings.put(config[n], config[n + 1]);
    return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  static void fill(String topic, int partitions, int from, int to) throws Exception {
    List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
    for (int n = from; n < to; n++) {
      records.add(Suite.record(topic, n % partitions, Suite.numbered(n % partitions, n / partitions)));
    }
    try (var producer = Suite.producer()) {
      Suite.sendAll(producer, records);
    }
  }

  static void checkAll(Map<Integer, List<byte[]>> got, int partitions, int each) {
    for (int p = 0; p < partitions; p++) {
      Suite.equal(got.getOrDefault(p, List.of()).size(), each, "records of partition " + p);
      for (int n = 0; n < each; n++) {
        Suite.require(Arrays.equals(got.get(p).get(n), Suite.numbered(p, n)), "partition " + p + " record " + n);
      }
    }
  }

  static ConsumerGroupDescription describe(String group) throws Exception {
    return Suite.get(Suite.admin.describeConsumerGroups(List.of(group)).describedGroups().get(group));
  }

  /** Reads some, commits, the server dies; the member goes on in its group, and a next one where it committed. */
  static void overKill() throws Exception {
    if (!Suite.DURABLE) throw new Suite.Skip("the engine keeps nothing over a restart");
    String topic = Suite.create("java-848-kill", 2);
    fill(topic, 2, 0, 300);
    Map<Integer, List<byte[]>> got = new TreeMap<>();
    try (var member = consumer(topic, "max.poll.records", "50")) {
      member.subscribe(List.of(topic));
      Suite.pollUntil(List.of(member), got, () -> Suite.count(got) >= 100, "100 records");
      member.commitSync();
      int epoch = member.groupMetadata().generationId();
      int before = Suite.count(got);
      Suite.control("kill");
      Suite.pollUntil(List.of(member), got, () -> Suite.count(got) >= before + 50, "records after the kill");
      member.commitSync();
      Suite.equal(member.groupMetadata().generationId(), epoch, "member epoch after the kill");
    }
    try (var member = consumer(topic)) {
      member.subscribe(List.of(topic));
      Suite.pollUntil(List.of(member), got, () -> Suite.count(got) >= 300, "the rest");
    }
    checkAll(got, 2, 150);
  }

  /** Topics that match are read, also one that is made later; others are not. */
  static void regex() throws Exception {
    String first = Suite.create("java-re-a", 2);
    Suite.create("java-other", 1);
    String mark = first.substring("java-re-a".length());
    try (var member = consumer("regex" + mark)) {
      member.subscribe(new SubscriptionPattern("java-re-[ab]" + mark + "x?"));
      Map<Integer, List<byte[]>> got = new TreeMap<>();
      Suite.pollUntil(List.of(member), got, () -> member.assignment().size() == 2, "two partitions");
      Suite.equal(member.assignment().stream().map(TopicPartition::topic).collect(Collectors.toSet()),
          Set.of(first), "topics");
      String later = first + "x";
      Suite.get(Suite.admin.createTopics(List.of(new NewTopic(later, 1, (short) 1))).all());
      Suite.pollUntil(List.of(member), got, () -> member.assignment().size() == 3, "the topic that is new");
      fill(later, 1, 0, 20);
      Suite.pollUntil(List.of(member), got, () -> Suite.count(got) >= 20, "20 records");
      checkAll(got, 1, 20);
      Suite.equal(describe("regex" + mark).members().size(), 1, "members");
    }
  }

  /** Closed and started again it has what it had, and nobody else gives anything up. */
  static void staticMember() throws Exception {
    String topic = Suite.create("java-848-static", 4);
    Map<Integer, List<byte[]>> got = new TreeMap<>();
    Watch watch = new Watch();
    try (var other = consumer(topic, "group.instance.id", "other")) {
      other.subscribe(List.of(topic), watch);
      Set<TopicPartition> had;
      try (var first = consumer(topic, "group.instance.id", "one")) {
        first.subscribe(List.of(topic));
        Suite.pollUntil(List.of(first, other), got,
            () -> first.assignment().size() == 2 && other.assignment().size() == 2, "two and two partitions");
        had = first.assignment();
        // Somebody who claims its instance id while it is there.
        try (var twin = consumer(topic, "group.instance.id", "one")) {
          twin.subscribe(List.of(topic));
          Suite.refuses(UnreleasedInstanceIdException.class,
              () -> Suite.pollUntil(List.of(twin, first, other), got, () -> false, "a refusal"), "a twin");
        }
      }
      watch.taken = 0;
      for (int n = 0; n < 10; n++) other.poll(Duration.ofMillis(100));
      try (var again = consumer(topic, "group.instance.id", "one")) {
        again.subscribe(List.of(topic));
        Suite.pollUntil(List.of(again, other), got, () -> again.assignment().size() == 2, "two partitions again");
        Suite.equal(again.assignment(), had, "partitions after the restart");
        Suite.equal(watch.taken, 0, "partitions that the other gave up");
      }
    }
  }

  static void refusals() throws Exception {
    String topic = Suite.create("java-848-refusals", 1);
    Map<Integer, List<byte[]>> got = new TreeMap<>();
    try (var member = consumer(topic)) {
      member.subscribe(new SubscriptionPattern("java-(848"));
      Suite.refuses(InvalidRegularExpression.class,
          () -> Suite.pollUntil(List.of(member), got, () -> false, "a refusal"), "a bad expression");
    }
    try (var member = consumer(topic, "group.remote.assignor", "nobody")) {
      member.subscribe(List.of(topic));
      Suite.refuses(UnsupportedAssignorException.class,
          () -> Suite.pollUntil(List.of(member), got, () -> false, "a refusal"), "an unknown assignor");
    }
  }

  static void described() throws Exception {
    String topic = Suite.create("java-848-described", 4);
    Map<Integer, List<byte[]>> got = new TreeMap<>();
    try (var first = consumer(topic, "client.id", "c-one"); var second = consumer(topic, "client.id", "c-two")) {
      for (var member : List.of(first, second)) member.subscribe(List.of(topic));
      Suite.pollUntil(List.of(first, second), got,
          () -> first.assignment().size() == 2 && second.assignment().size() == 2, "two and two partitions");
      Suite.eventually(() -> Suite.equal(describe(topic).groupState(), GroupState.STABLE, "state"));
      var seen = describe(topic);
      Suite.equal(seen.type(), GroupType.CONSUMER, "type");
      Suite.equal(seen.partitionAssignor(), "uniform", "assignor");
      Suite.equal(seen.groupEpoch(), seen.targetAssignmentEpoch(), "epochs");
      Suite.equal(seen.members().stream().map(MemberDescription::clientId).collect(Collectors.toSet()),
          Set.of("c-one", "c-two"), "client ids");
      for (var member : seen.members()) {
        var holder = member.clientId().equals("c-one") ? first : second;
        Suite.equal(member.assignment().topicPartitions(), holder.assignment(), "assignment");
        Suite.equal(member.targetAssignment().get().topicPartitions(), holder.assignment(), "target");
        Suite.equal(member.memberEpoch().get(), holder.groupMetadata().generationId(), "member epoch");
        Suite.equal(member.upgraded().get(), true, "upgraded");
        Suite.require(member.host().startsWith("/127.0.0.1"), "host " + member.host());
      }
      var listed = Suite.get(Suite.admin.listGroups(ListGroupsOptions.forConsumerGroups()).all()).stream()
          .filter(g -> g.groupId().equals(topic)).findFirst().get();
      Suite.equal(listed.type().get(), GroupType.CONSUMER, "listed type");
    }
    Suite.eventually(() -> Suite.equal(describe(topic).groupState(), GroupState.EMPTY, "state when all have left"));
  }

  /** A live group goes to the new protocol member by member and back; each record is read once. */
  static void upgradeAndBack() throws Exception {
    String topic = Suite.create("java-848-upgrade", 4);
    String[] classic = {"group.protocol", "classic", "session.timeout.ms", "10000", "heartbeat.interval.ms", "300",
        "partition.assignment.strategy", CooperativeStickyAssignor.class.getName()};
    String[] modern = {};
    Map<Integer, List<byte[]>> got = new TreeMap<>();
    List<KafkaConsumer<byte[], byte[]>> members = new ArrayList<>();
    List<GroupType> types = new ArrayList<>();
    int sent = 0;
    try {
      for (String[] config : List.of(classic, classic, modern, modern, classic, classic)) {
        var next = consumer(topic, config);
        next.subscribe(List.of(topic), new Commits(next));
        members.add(next);
        if (members.size() > 2) members.remove(0).close(CloseOptions.timeout(Duration.ofSeconds(10)));
        fill(topic, 4, sent, sent + 80);
        sent += 80;
        int want = sent;
        Suite.pollUntil(members, got, () -> Suite.count(got) >= want && shareAll(members), "all for the members");
        for (var member : members) Suite.pollUntil(members, got, () -> commit(member), "a commit");
        types.add(describe(topic).type());
      }
    } finally {
      for (var member : members) member.close(CloseOptions.timeout(Duration.ofSeconds(10)));
    }
    Suite.equal(types, List.of(GroupType.CLASSIC, GroupType.CLASSIC, GroupType.CONSUMER, GroupType.CONSUMER,
        GroupType.CONSUMER, GroupType.CLASSIC), "types of the group");
    checkAll(got, 4, sent / 4);
  }

  private static boolean shareAll(List<KafkaConsumer<byte[], byte[]>> members) {
    List<TopicPartition> owned = new ArrayList<>();
    for (var member : members) owned.addAll(member.assignment());
    return owned.size() == 4 && Set.copyOf(owned).size() == 4
        && members.stream().allMatch(m -> m.assignment().size() == 4 / members.size());
  }
}
