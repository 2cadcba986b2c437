// A client's history, one JSON object a line, in the format of test/clients/checker. Each line is
// stamped with CLOCK_MONOTONIC (System.nanoTime on Linux), by which the histories of several processes
// are merged, and written at once: a SIGKILL loses no line that was told before.
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

final class Recording {
  record Op(long number, Map<String, Object> fields) {}

  private final String client;
  private final FileOutputStream file;
  private long next = 0;

  /** Appends to the file that TG_HISTORY names. */
  Recording(String client) throws IOException {
    this.client = client;
    this.file = new FileOutputStream(System.getenv("TG_HISTORY"), true);
  }

  /** Something is asked for; name and value in turn are what is known before. */
  synchronized Op invoke(String f, Object... fields) {
    Op op = new Op(next++, map(f, fields));
    write(op, "invoke");
    return op;
  }

  /** The outcome: ok, fail or unknown. */
  synchronized void end(Op op, String outcome, Object... more) {
    write(op, outcome, more);
  }

  /** An operation that is told only when it is over. */
  synchronized void note(String f, Object... fields) {
    write(new Op(next++, map(f, fields)), "ok");
  }

  private static Map<String, Object> map(String f, Object... fields) {
    Map<String, Object> found = new LinkedHashMap<>();
    found.put("f", f);
    for (int i = 0; i < fields.length; i += 2) found.put((String) fields[i], fields[i + 1]);
    return found;
  }

  private void write(Op op, String type, Object... more) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("client", client);
    line.put("op", op.number());
    line.put("type", type);
    line.put("t", System.nanoTime());
    line.putAll(op.fields());
    for (int i = 0; i < more.length; i += 2) line.put((String) more[i], more[i + 1]);
    StringBuilder text = new StringBuilder();
    json(text, line);
    try {
      file.write(text.append('\n').toString().getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      System.out.println("PROBLEM history: " + e);
      Runtime.getRuntime().halt(2);
    }
  }

  private static void json(StringBuilder out, Object value) {
    if (value instanceof Map<?, ?> map) {
      out.append('{');
      boolean first = true;
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        if (!first) out.append(',');
        first = false;
        quote(out, String.valueOf(entry.getKey()));
        json(out.append(':'), entry.getValue());
      }
      out.append('}');
    } else if (value instanceof Iterable<?> items) {
      out.append('[');
      boolean first = true;
      for (Object item : items) {
        if (!first) out.append(',');
        first = false;
        json(out, item);
      }
      out.append(']');
    } else if (value == null || value instanceof Number || value instanceof Boolean) {
      out.append(value);
    } else {
      quote(out, value.toString());
    }
  }

  private static void quote(StringBuilder out, String text) {
    out.append('"');
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') out.append('\\').append(c);
      else if (c < ' ') out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    out.append('"');
  }
}
