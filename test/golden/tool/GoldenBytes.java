// Writes the reference data of test/golden out of Apache Kafka's own Java client: message bytes made
// by its generated classes, the message definitions that its jar carries, and its error table.
// See README.md beside this file for how to run it. Same client version, same output.
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.*;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.zip.CRC32C;
import java.util.zip.GZIPOutputStream;
import org.apache.kafka.common.errors.InvalidMetadataException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.protocol.types.RawTaggedField;

public class GoldenBytes {
    // The APIs that Tidegate speaks. Add a key here with the message that implements it.
    static final int[] KEYS = {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23,
                               32, 33, 35, 37, 42, 43, 44, 46, 47, 48, 49, 55, 60, 61, 68, 69, 74, 75};
    static final int RANDOM_VECTORS = 8, UNKNOWN_TAG_VECTORS = 2;
    static final int UNKNOWN_TAG = 1000;

    static final ObjectMapper JSON = new ObjectMapper().configure(JsonParser.Feature.ALLOW_COMMENTS, true);
    static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    record Range(int min, int max) {
        static Range parse(String text, Range within) {
            if (text.equals("none")) return new Range(1, 0);
            int dash = text.indexOf('-');
            int min = Integer.parseInt(text.endsWith("+") ? text.substring(0, text.length() - 1)
                                       : dash > 0 ? text.substring(0, dash) : text);
            int max = text.endsWith("+") ? Integer.MAX_VALUE : dash > 0 ? Integer.parseInt(text.substring(dash + 1)) : min;
            return new Range(Math.max(min, within.min), Math.min(max, within.max));
        }
        boolean has(int version) { return version >= min && version <= max; }
        boolean empty() { return min > max; }
    }

    // One field of a definition, its versions cut down to those of what holds it.
    static final class FieldDef {
        final String name, type, element, nullDefault;
        final boolean array, ignorable;
        final Range versions, nullable, holder;
        final int tag;
        final List<FieldDef> children = new ArrayList<>();

        FieldDef(JsonNode node, Range holder, Map<String, JsonNode> structs) {
            name = node.get("name").asText();
            type = node.get("type").asText();
            array = type.startsWith("[]");
            element = array ? type.substring(2) : type;
            this.holder = holder;
            versions = Range.parse(node.get("versions").asText(), holder);
            nullable = Range.parse(node.path("nullableVersions").asText("none"), versions);
            ignorable = node.path("ignorable").asBoolean(false);
            nullDefault = node.has("default") ? node.get("default").asText() : null;
            tag = node.path("tag").asInt(-1);
            if (node.has("fields")) structs.put(element, node.get("fields"));
            if (structs.containsKey(element) && !versions.empty()) children.addAll(parse(structs.get(element), versions, structs));
        }
        static List<FieldDef> parse(JsonNode fields, Range holder, Map<String, JsonNode> structs) {
            List<FieldDef> out = new ArrayList<>();
            for (JsonNode node : fields) {
                FieldDef field = new FieldDef(node, holder, structs);
                if (!field.versions.empty()) out.add(field);
            }
            return out;
        }
        boolean isStruct() { return !children.isEmpty(); }
        boolean isNullable() { return !nullable.empty(); }
    }

    static final class Message {
        final ApiMessageType api;
        final boolean request;
        final String name;
        final Range versions;
        final int flexibleFrom;
        final List<FieldDef> fields;

        Message(ApiMessageType api, boolean request) throws IOException {
            this.api = api;
            this.request = request;
            name = api.name + (request ? "Request" : "Response");
            try (InputStream in = GoldenBytes.class.getResourceAsStream("/common/message/" + name + ".json")) {
                JsonNode node = JSON.readTree(in);
                // The definition's range, without a last version that Kafka still calls unstable.
                versions = Range.parse(node.get("validVersions").asText(), new Range(0, api.highestSupportedVersion(false)));
                String flexible = node.get("flexibleVersions").asText();
                flexibleFrom = flexible.equals("none") ? -1 : Integer.parseInt(flexible.replace("+", ""));
                Map<String, JsonNode> structs = new HashMap<>();
                for (JsonNode common : node.path("commonStructs")) structs.put(common.get("name").asText(), common.get("fields"));
                fields = FieldDef.parse(node.get("fields"), versions, structs);
            }
        }
        ApiMessage instance() { return request ? api.newRequest() : api.newResponse(); }
    }

    static List<Message> messages() throws IOException {
        List<Message> out = new ArrayList<>();
        for (int key : KEYS)
            for (boolean request : new boolean[] {true, false})
                out.add(new Message(ApiMessageType.fromApiKey((short) key), request));
        return out;
    }

    // ---------------------------------------------------------------- random bodies, in Kafka's JSON form

    static final class BodyMaker {
        static final long[] EDGES = {0, 1, -1, 127, -128, 255, 32767, -32768, 65536, Integer.MAX_VALUE,
                                     Integer.MIN_VALUE, Long.MAX_VALUE, Long.MIN_VALUE};
        final Random random;
        final int version;
        final boolean plain;  // everything empty, null or at its default

        BodyMaker(long seed, int version, boolean plain) {
            this.random = new Random(seed * 0x9E3779B97F4A7C15L);  // near seeds start alike otherwise
            this.version = version;
            this.plain = plain;
        }
        ObjectNode struct(List<FieldDef> fields) {
            ObjectNode out = NODES.objectNode();
            for (FieldDef field : fields) {
                if (!field.versions.has(version)) continue;
                if (field.tag >= 0 && (plain || random.nextInt(3) == 0)) continue;
                out.set(Character.toLowerCase(field.name.charAt(0)) + field.name.substring(1), value(field));
            }
            return out;
        }
        JsonNode value(FieldDef field) {
            if (field.nullable.has(version) && (plain || random.nextInt(4) == 0)) return NODES.nullNode();
            if (!field.array) return single(field);
            ArrayNode out = NODES.arrayNode();
            for (int n = plain ? 0 : (random.nextInt(5) + 1) / 2; n > 0; n--) out.add(single(field));
            return out;
        }
        JsonNode single(FieldDef field) {
            if (field.isStruct()) return struct(field.children);
            switch (field.element) {
                case "bool": return NODES.booleanNode(!plain && random.nextBoolean());
                case "int8": return NODES.numberNode((int) (byte) number());
                case "int16": return NODES.numberNode((int) (short) (field.name.endsWith("ErrorCode") ? errorCode() : number()));
                case "uint16": return NODES.numberNode((int) (number() & 0xffff));
                case "float64": return NODES.numberNode(number() / 8.0);
                case "int32": return NODES.numberNode((int) number());
                case "int64": return NODES.numberNode(number());
                case "uuid": return NODES.textNode(uuid());
                case "string": return NODES.textNode(text());
                case "bytes": return NODES.binaryNode(bytes());
                case "records": return NODES.binaryNode(plain || random.nextInt(4) == 0 ? new byte[0] : recordBatch());
                default: throw new IllegalArgumentException(field.type);
            }
        }
        long number() {
            if (plain) return 0;
            return random.nextInt(3) == 0 ? EDGES[random.nextInt(EDGES.length)] : random.nextInt(1_000_000);
        }
        int errorCode() { return plain || random.nextBoolean() ? 0 : random.nextInt(138) - 1; }
        String uuid() {
            boolean zero = plain || random.nextInt(4) == 0;
            return (zero ? org.apache.kafka.common.Uuid.ZERO_UUID
                         : new org.apache.kafka.common.Uuid(random.nextLong(), random.nextLong())).toString();
        }
        String text() {
            if (plain) return "";
            switch (random.nextInt(6)) {
                case 0: return "";
                case 1: return "größe-テスト";
                case 2: return "n".repeat(126 + random.nextInt(4));  // around the step from one length byte to two
                default: return "name-" + random.nextInt(1000);
            }
        }
        byte[] bytes() {
            byte[] out = new byte[plain ? 0 : random.nextInt(20)];
            random.nextBytes(out);
            return out;
        }
        // One record of value "v" and no key, laid out by hand: 61 bytes of header, 8 of record.
        byte[] recordBatch() {
            byte[] record = {14, 0, 0, 0, 1, 2, 'v', 0};
            ByteBuffer out = ByteBuffer.allocate(61 + record.length);
            out.putLong(random.nextInt(1000)).putInt(out.capacity() - 12).putInt(0).put((byte) 2).putInt(0);
            out.putShort((short) 0).putInt(0).putLong(1000).putLong(1000).putLong(-1).putShort((short) -1).putInt(-1).putInt(1).put(record);
            CRC32C crc = new CRC32C();
            crc.update(out.array(), 21, out.capacity() - 21);
            out.putInt(17, (int) crc.getValue());
            return out.array();
        }
    }

    // ---------------------------------------------------------------- bytes

    static byte[] serialize(Message message, ApiMessage value, int version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer out = ByteBuffer.allocate(value.size(cache, (short) version));
        value.write(new ByteBufferAccessor(out), cache, (short) version);
        if (out.hasRemaining()) throw new IllegalStateException(message.name + " promised more bytes than it wrote");
        return out.array();
    }
    static byte[] header(Message message, int version, int correlationId, String clientId) {
        ApiMessage header;
        int headerVersion;
        if (message.request) {
            header = new RequestHeaderData().setRequestApiKey(message.api.apiKey()).setRequestApiVersion((short) version)
                .setCorrelationId(correlationId).setClientId(clientId);
            headerVersion = message.api.requestHeaderVersion((short) version);
        } else {
            header = new ResponseHeaderData().setCorrelationId(correlationId);
            headerVersion = message.api.responseHeaderVersion((short) version);
        }
        return serialize(message, header, headerVersion);
    }
    static ApiMessage fromJson(Message message, JsonNode body, int version) throws Exception {
        Class<?> converter = Class.forName(message.instance().getClass().getName() + "JsonConverter");
        return (ApiMessage) converter.getMethod("read", JsonNode.class, short.class).invoke(null, body, (short) version);
    }
    static JsonNode toJson(ApiMessage value, int version) throws Exception {
        Class<?> converter = Class.forName(value.getClass().getName() + "JsonConverter");
        return (JsonNode) converter.getMethod("write", value.getClass(), short.class).invoke(null, value, (short) version);
    }
    // Puts a tag that no definition knows into every struct of the message, itself included. A single
    // struct at its default is left alone: it stands for "absent", also where the version lacks it.
    static void addUnknownTags(Object value, Random random) throws Exception {
        if (value instanceof Collection<?> many) {
            for (Object one : many) addUnknownTags(one, random);
        } else if (value instanceof org.apache.kafka.common.protocol.Message struct) {
            byte[] content = new byte[random.nextInt(5)];
            random.nextBytes(content);
            struct.unknownTaggedFields().add(new RawTaggedField(UNKNOWN_TAG, content));
            for (Field field : value.getClass().getDeclaredFields()) {
                if (Modifier.isStatic(field.getModifiers()) || field.getName().startsWith("_")) continue;
                field.setAccessible(true);
                Object member = field.get(value);
                boolean absent = member instanceof org.apache.kafka.common.protocol.Message
                    && member.equals(member.getClass().getDeclaredConstructor().newInstance());
                if (!absent) addUnknownTags(member, random);
            }
        }
    }
    // Kafka's JSON writer leaves record bytes out. They come back from the body that was asked for.
    static void restoreRecords(JsonNode from, JsonNode to) {
        if (to instanceof ObjectNode object)
            object.fieldNames().forEachRemaining(name -> {
                if (name.equals("records") && object.get(name).isBinary()) object.set(name, from.get(name));
                else restoreRecords(from.get(name), object.get(name));
            });
        else if (to instanceof ArrayNode array)
            for (int i = 0; i < array.size(); i++) restoreRecords(from.get(i), array.get(i));
    }

    static ObjectNode vector(Message message, int version, int number) throws Exception {
        long seed = Objects.hash(message.name, version, number);
        boolean unknown = number > RANDOM_VECTORS;
        BodyMaker maker = new BodyMaker(seed, version, number == 0);
        JsonNode asked = maker.struct(message.fields);
        ApiMessage value = fromJson(message, asked, version);
        if (unknown) addUnknownTags(value, maker.random);
        byte[] body = serialize(message, value, version);
        // What the bytes say to Kafka, not what we asked for, is the truth.
        ApiMessage again = message.instance();
        ByteBuffer rest = ByteBuffer.wrap(body);
        again.read(new ByteBufferAccessor(rest), (short) version);
        if (rest.hasRemaining()) throw new IllegalStateException(message.name + " left bytes over");
        JsonNode said = toJson(again, version);
        restoreRecords(asked, said);

        int correlationId = maker.random.nextInt();
        String clientId = number % 3 == 0 ? null : "client-" + number;
        ByteArrayOutputStream frame = new ByteArrayOutputStream();
        frame.write(header(message, version, correlationId, clientId));
        frame.write(body);
        ObjectNode out = NODES.objectNode().put("message", message.name).put("version", version).put("correlation_id", correlationId);
        if (message.request) out.put("client_id", clientId);
        if (unknown) out.put("unknown_tags", true);
        out.put("frame", HexFormat.of().formatHex(frame.toByteArray()));
        out.set("body", said);
        return out;
    }

    static void writeVectors(Path file) throws Exception {
        int count = 0;
        try (Writer out = new OutputStreamWriter(new GZIPOutputStream(Files.newOutputStream(file)), StandardCharsets.UTF_8)) {
            for (Message message : messages())
                for (int version = message.versions.min; version <= message.versions.max; version++) {
                    boolean flexible = message.flexibleFrom >= 0 && version >= message.flexibleFrom;
                    int vectors = 1 + RANDOM_VECTORS + (flexible ? UNKNOWN_TAG_VECTORS : 0);
                    for (int number = 0; number < vectors; number++, count++)
                        out.write(JSON.writeValueAsString(vector(message, version, number)) + "\n");
                }
        }
        System.err.println(count + " vectors");
    }

    // ---------------------------------------------------------------- definitions and errors as text

    static String snake(String name) { return name.replaceAll("(?<=[a-z0-9])(?=[A-Z])", "_").toLowerCase(Locale.ROOT); }

    static String defaultOf(FieldDef field) {
        if (field.isNullable() && ("null".equals(field.nullDefault) || field.element.equals("records"))) return "null";
        if (field.array || field.element.equals("bytes") || field.element.equals("records")) return "empty";
        if (field.isStruct()) return "struct";
        if (field.element.equals("uuid")) return "zero";
        if (field.element.equals("string")) return '"' + (field.nullDefault == null ? "" : field.nullDefault) + '"';
        if (field.element.equals("bool")) return "true".equals(field.nullDefault) ? "true" : "false";
        return field.nullDefault == null ? "0" : String.valueOf(Long.decode(field.nullDefault));
    }
    static void describe(List<FieldDef> fields, String path, PrintStream out) {
        for (FieldDef field : fields) {
            String type = field.element.equals("int16") && field.name.endsWith("ErrorCode") ? "error_code" : field.element;
            String here = path + snake(field.name) + (field.array ? "[]" : "");
            boolean always = field.versions.equals(field.holder);
            out.print("  " + here + " " + type + " " + field.versions.min + "-" + field.versions.max);
            if (field.isNullable()) out.print(" nullable " + field.nullable.min + "+");
            if (field.ignorable && !always) out.print(" ignorable");
            if (field.tag >= 0) out.print(" tag " + field.tag);
            out.println(" default " + defaultOf(field));
            describe(field.children, here + ".", out);
        }
    }
    static void writeSchema(Path file) throws Exception {
        try (PrintStream out = new PrintStream(file.toFile(), StandardCharsets.UTF_8)) {
            for (Message message : messages()) {
                out.println(message.name + " key " + message.api.apiKey() + " versions " + message.versions.min + "-"
                    + message.versions.max + " flexible " + (message.flexibleFrom < 0 ? "never" : message.flexibleFrom + "+"));
                describe(message.fields, "", out);
            }
        }
    }
    static void writeErrors(Path file) throws Exception {
        Errors[] errors = Errors.values();
        Arrays.sort(errors, Comparator.comparingInt(Errors::code));
        try (PrintStream out = new PrintStream(file.toFile(), StandardCharsets.UTF_8)) {
            for (Errors error : errors) {
                boolean retriable = error.exception() instanceof RetriableException;
                boolean refresh = error.exception() instanceof InvalidMetadataException;
                out.println(error.code() + " " + error.name() + (retriable ? " retriable" : "") + (refresh ? " refresh_metadata" : ""));
            }
        }
    }

    public static void main(String[] args) throws Exception {
        Path directory = Path.of(args.length > 0 ? args[0] : ".");
        writeVectors(directory.resolve("vectors.jsonl.gz"));
        writeSchema(directory.resolve("schema.txt"));
        writeErrors(directory.resolve("errors.txt"));
    }
}
