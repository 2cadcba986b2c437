// Prints the name of each setting that a Kafka broker defines. test/broker/kafka_settings.txt is the sorted
// union of two releases:
//   mvn -f test/clients/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory=jars    (4.3.0, then 3.9.1)
//   java -cp 'jars/*' test/clients/kafka/KafkaSettings.java
import org.apache.kafka.common.config.ConfigDef;

public class KafkaSettings {
  public static void main(String[] arguments) throws Exception {
    var definition = (ConfigDef) Class.forName("kafka.server.KafkaConfig").getMethod("configDef").invoke(null);
    definition.names().stream().sorted().forEach(System.out::println);
  }
}
