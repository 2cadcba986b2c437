// Runs Kafka's command line tools one after the other in one JVM, so that a suite of a hundred calls does not
// pay a hundred starts. A request is a line: the main class and its arguments, each in base64, with blanks
// between; the answer is a line: exit code, standard output, standard error. What a tool would have ended
// the process with ends its call here. For tools without input and without shutdown hooks of their own.
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import org.apache.kafka.common.utils.Exit;

public class ToolRunner {
    private static final class Ended extends Error {
        Ended() { super("the tool asked for the end of the process"); }
    }

    private static Integer code;

    public static void main(String[] ignored) throws Exception {
        PrintStream answers = System.out;
        Exit.Procedure end = (status, message) -> {
            if (code == null) code = status;
            throw new Ended();
        };
        Exit.setExitProcedure(end);
        Exit.setHaltProcedure(end);
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            String[] words = Arrays.stream(line.split(" ", -1)).map(ToolRunner::decode).toArray(String[]::new);
            answers.println(run(words[0], Arrays.copyOfRange(words, 1, words.length)));
            answers.flush();
        }
    }

    private static String run(String name, String[] arguments) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        code = null;
        try {
            Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException thrown) {
            // A process whose main() throws prints the trace and exits with 1.
            if (!(thrown.getCause() instanceof Ended)) {
                thrown.getCause().printStackTrace();
                if (code == null) code = 1;
            }
        }
        System.out.flush();
        System.err.flush();
        return (code == null ? 0 : code) + " " + encode(out) + " " + encode(err);
    }

    private static String decode(String word) {
        return new String(Base64.getDecoder().decode(word), StandardCharsets.UTF_8);
    }

    private static String encode(ByteArrayOutputStream bytes) {
        return Base64.getEncoder().encodeToString(bytes.toByteArray());
    }
}
