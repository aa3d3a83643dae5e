// Keeps the latest status of every message from sms.delivery, with Apache Kafka's client and Jackson (see pom.xml).
//
//     mvn --quiet compile
//     BOOTSTRAP_SERVERS=localhost:9092 GROUP=my-team mvn --quiet exec:java

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public final class LatestStatus {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> TOLD = List.of("message_id", "outcome", "status", "final", "corrects");

    // The last event of each attempt. A real consumer stores it in its database, in the same transaction as its work.
    private static final Map<List<String>, JsonNode> LATEST = new HashMap<>();

    // Keeps an event unless it is a duplicate: within an attempt, sequence only increases.
    private static boolean take(JsonNode event) {
        List<String> attempt = List.of(
                event.get("provider").asText(),
                event.get("account").asText(),
                event.get("provider_message_id").asText());
        JsonNode known = LATEST.get(attempt);
        if (known != null && event.get("sequence").asLong() <= known.get("sequence").asLong()) {
            return false;
        }
        LATEST.put(attempt, event);
        return true;
    }

    private static void handle(ConsumerRecord<byte[], byte[]> record) throws java.io.IOException {
        JsonNode event = JSON.readTree(record.value());
        if (take(event)) {
            ObjectNode told = JSON.createObjectNode();
            TOLD.forEach(name -> told.set(name, event.get(name)));
            System.out.println(told);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", System.getenv("BOOTSTRAP_SERVERS"));
        settings.put("group.id", System.getenv("GROUP"));
        settings.put("isolation.level", "read_committed");
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
        settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
        Thread main = Thread.currentThread();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                consumer.wakeup();
                try {
                    main.join();
                } catch (InterruptedException interrupted) {
                    Thread.currentThread().interrupt();
                }
            }));
            consumer.subscribe(List.of(System.getenv().getOrDefault("TOPIC", "sms.delivery")));
            while (true) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(500));
                for (ConsumerRecord<byte[], byte[]> record : records) {
                    handle(record);
                }
                if (!records.isEmpty()) {
                    consumer.commitSync(); // after the work: after a crash, events are read again, and take drops them
                }
            }
        } catch (WakeupException stopped) {
            // The shutdown hook called wakeup after SIGTERM.
        }
    }
}
