import java.util.Map;
import java.util.Scanner;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Makes a topic of Kafka and writes records into it. Arguments are the broker, the topic and its number of partitions. Each line of
 * the standard input is a record: its partition, its time in milliseconds and its value, by tabs; without a value it has none.
 */
public class Producer {
  public static void main(String[] arguments) throws Exception {
    Map<String, Object> broker = Map.of("bootstrap.servers", arguments[0]);
    try (Admin admin = Admin.create(broker)) {
      NewTopic topic = new NewTopic(arguments[1], Integer.parseInt(arguments[2]), (short) 1);
      admin.createTopics(java.util.List.of(topic)).all().get();
    }
    ByteArraySerializer bytes = new ByteArraySerializer();
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(broker, bytes, bytes);
        Scanner lines = new Scanner(System.in, "UTF-8")) {
      while (lines.hasNextLine()) {
        String[] parts = lines.nextLine().split("\t", 3);
        byte[] value = parts.length < 3 ? null : parts[2].getBytes("UTF-8");
        producer.send(new ProducerRecord<>(
            arguments[1], Integer.valueOf(parts[0]), Long.valueOf(parts[1]), null, value)).get();
      }
    }
  }
}
