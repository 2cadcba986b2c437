// Prints assignors.jsonl: random groups that change, and what Apache Kafka's own assignors make of them.
// See README.md for the format and how to run it.
import java.util.*;
import java.util.stream.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.common.*;
import org.apache.kafka.coordinator.group.api.assignor.*;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;

public class GoldenAssignors {
    static final int SEEDS = 30;
    static final int ROUNDS = 6;

    static final class Member {
        String id;
        String instance;
        TreeSet<Integer> topics = new TreeSet<>();
        TreeMap<Integer, TreeSet<Integer>> owned = new TreeMap<>();
    }

    static final class Group {
        TreeMap<Integer, Integer> topics = new TreeMap<>();
        List<Member> members = new ArrayList<>();
        boolean equal;
        int generation = 0;
    }

    static Uuid topicId(int number) {
        return new Uuid(1L << 56, number);
    }

    static int topicNumber(Uuid id) {
        return (int) id.getLeastSignificantBits();
    }

    static TreeSet<Integer> randomTopics(Random random, Group group) {
        TreeSet<Integer> chosen = new TreeSet<>();
        for (int topic : group.topics.keySet()) if (group.equal || random.nextBoolean()) chosen.add(topic);
        return chosen;
    }

    static Group randomGroup(Random random, boolean equal) {
        Group group = new Group();
        group.equal = equal;
        int topics = 1 + random.nextInt(6);
        for (int t = 0; t < topics; t++) group.topics.put(t, 1 + random.nextInt(9));
        int members = 1 + random.nextInt(9);
        for (int m = 0; m < members; m++) {
            Member member = new Member();
            member.id = "m" + m;
            if (random.nextInt(4) == 0) member.instance = "i" + random.nextInt(1000) + "-" + m;
            member.topics = randomTopics(random, group);
            group.members.add(member);
        }
        return group;
    }

    static void change(Random random, Group group, String newName) {
        for (int i = 1 + random.nextInt(3); i > 0; i--) {
            switch (random.nextInt(4)) {
                case 0:
                    if (group.members.size() > 1) group.members.remove(random.nextInt(group.members.size()));
                    break;
                case 1:
                    Member member = new Member();
                    member.id = newName + i;
                    member.topics = randomTopics(random, group);
                    group.members.add(member);
                    break;
                case 2:
                    group.topics.merge(random.nextInt(group.topics.size()), random.nextInt(4), Integer::sum);
                    break;
                default:
                    if (!group.equal) {
                        group.members.get(random.nextInt(group.members.size())).topics = randomTopics(random, group);
                    }
            }
        }
    }

    static Map<String, TreeMap<Integer, TreeSet<Integer>>> server(PartitionAssignor assignor, Group group) {
        Map<String, Member> members = new LinkedHashMap<>();
        for (Member member : group.members) members.put(member.id, member);
        boolean same = group.members.stream().map(m -> m.topics).distinct().count() == 1;
        GroupSpec spec = new GroupSpec() {
            public Collection<String> memberIds() { return members.keySet(); }
            public SubscriptionType subscriptionType() {
                return same ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS;
            }
            public boolean isPartitionAssigned(Uuid topic, int partition) {
                return members.values().stream().anyMatch(
                    m -> m.owned.getOrDefault(topicNumber(topic), new TreeSet<>()).contains(partition));
            }
            public boolean isPartitionAssignable(Uuid topic, int partition) { return true; }
            public MemberSubscription memberSubscription(String id) {
                Member member = members.get(id);
                return new MemberSubscription() {
                    public Optional<String> rackId() { return Optional.empty(); }
                    public Optional<String> instanceId() { return Optional.ofNullable(member.instance); }
                    public Set<Uuid> subscribedTopicIds() {
                        return member.topics.stream().map(GoldenAssignors::topicId).collect(Collectors.toSet());
                    }
                };
            }
            public MemberAssignment memberAssignment(String id) {
                Map<Uuid, Set<Integer>> owned = new HashMap<>();
                members.get(id).owned.forEach((topic, set) -> owned.put(topicId(topic), new HashSet<>(set)));
                // The assignor tells changed members by the class of their map.
                Map<Uuid, Set<Integer>> unchangeable = Collections.unmodifiableMap(owned);
                return () -> unchangeable;
            }
        };
        SubscribedTopicDescriber topics = new SubscribedTopicDescriber() {
            public int numPartitions(Uuid topic) { return group.topics.getOrDefault(topicNumber(topic), -1); }
            public Set<String> racksForPartition(Uuid topic, int partition) { return Set.of(); }
        };
        Map<String, TreeMap<Integer, TreeSet<Integer>>> result = new HashMap<>();
        assignor.assign(spec, topics).members().forEach((id, assignment) -> {
            TreeMap<Integer, TreeSet<Integer>> mine = new TreeMap<>();
            assignment.partitions().forEach((topic, set) -> {
                if (!set.isEmpty()) mine.put(topicNumber(topic), new TreeSet<>(set));
            });
            result.put(id, mine);
        });
        return result;
    }

    static Map<String, TreeMap<Integer, TreeSet<Integer>>> cooperative(Group group) {
        List<PartitionInfo> infos = new ArrayList<>();
        Node node = new Node(0, "localhost", 1);
        group.topics.forEach((topic, count) -> {
            for (int p = 0; p < count; p++) {
                infos.add(new PartitionInfo("t" + topic, p, node, new Node[] {node}, new Node[] {node}));
            }
        });
        Cluster cluster = new Cluster("c", List.of(node), infos, Set.of(), Set.of());
        Map<String, ConsumerPartitionAssignor.Subscription> subscriptions = new HashMap<>();
        for (Member member : group.members) {
            List<TopicPartition> owned = new ArrayList<>();
            member.owned.forEach((topic, set) -> set.forEach(p -> owned.add(new TopicPartition("t" + topic, p))));
            subscriptions.put(member.id, new ConsumerPartitionAssignor.Subscription(
                member.topics.stream().map(t -> "t" + t).toList(), null, owned,
                owned.isEmpty() ? -1 : group.generation, Optional.empty()));
        }
        Map<String, TreeMap<Integer, TreeSet<Integer>>> result = new HashMap<>();
        new CooperativeStickyAssignor()
            .assign(cluster, new ConsumerPartitionAssignor.GroupSubscription(subscriptions))
            .groupAssignment().forEach((id, assignment) -> {
                TreeMap<Integer, TreeSet<Integer>> mine = new TreeMap<>();
                for (TopicPartition p : assignment.partitions()) {
                    mine.computeIfAbsent(Integer.parseInt(p.topic().substring(1)), t -> new TreeSet<>())
                        .add(p.partition());
                }
                result.put(id, mine);
            });
        return result;
    }

    static String json(TreeMap<Integer, TreeSet<Integer>> partitions) {
        return partitions.entrySet().stream()
            .map(e -> "[" + e.getKey() + "," + e.getValue().toString().replace(" ", "") + "]")
            .collect(Collectors.joining(",", "[", "]"));
    }

    static void print(String kind, Group group, Map<String, TreeMap<Integer, TreeSet<Integer>>> result) {
        StringBuilder out = new StringBuilder("{\"kind\":\"" + kind + "\",\"equal\":" + group.equal);
        out.append(",\"generation\":").append(group.generation).append(",\"topics\":").append(
            new ArrayList<>(group.topics.values()).toString().replace(" ", "")).append(",\"members\":[");
        for (int i = 0; i < group.members.size(); i++) {
            Member member = group.members.get(i);
            out.append(i == 0 ? "" : ",").append("{\"id\":\"").append(member.id).append("\"");
            if (member.instance != null) out.append(",\"instance\":\"").append(member.instance).append("\"");
            out.append(",\"topics\":").append(member.topics.toString().replace(" ", ""));
            out.append(",\"owned\":").append(json(member.owned));
            out.append(",\"gets\":").append(json(result.getOrDefault(member.id, new TreeMap<>()))).append("}");
        }
        System.out.println(out.append("]}"));
    }

    public static void main(String[] args) {
        for (String kind : List.of("range", "uniform", "cooperative-sticky")) {
            for (boolean equal : List.of(true, false)) {
                for (int seed = 0; seed < SEEDS; seed++) {
                    Random random = new Random(seed);
                    Group group = randomGroup(random, equal);
                    for (int round = 0; round < ROUNDS; round++) {
                        Map<String, TreeMap<Integer, TreeSet<Integer>>> result;
                        switch (kind) {
                            case "range": result = server(new RangeAssignor(), group); break;
                            case "uniform": result = server(new UniformAssignor(), group); break;
                            default: result = cooperative(group);
                        }
                        print(kind, group, result);
                        for (Member m : group.members) m.owned = result.getOrDefault(m.id, new TreeMap<>());
                        group.generation++;
                        // Cooperative groups are now and then given the second round that they need.
                        if (!kind.startsWith("coop") || round % 3 != 1) change(random, group, "n" + round + "-");
                    }
                }
            }
        }
    }
}
