// Keeps the latest status of every message from sms.delivery, with Apache Kafka's client and Jackson (see pom.xml), and
// the type of an event in SmsDelivery.java.
//
//     mvn --quiet compile
//     BOOTSTRAP_SERVERS=localhost:9092 GROUP=my-team mvn --quiet exec:java

import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
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

    // What names an attempt.
    private record Attempt(String provider, String account, String providerMessageId) {}

    // The last event of each attempt. A real consumer stores it in its database, in the same transaction as its work.
    private static final Map<Attempt, SmsDelivery> LATEST = new HashMap<>();

    // Keeps an event unless it is a duplicate: within an attempt, sequence only increases.
    private static boolean take(SmsDelivery event) {
        Attempt attempt = new Attempt(event.provider(), event.account(), event.providerMessageId());
        SmsDelivery known = LATEST.get(attempt);
        if (known != null && event.sequence() <= known.sequence()) {
            return false;
        }
        LATEST.put(attempt, event);
        return true;
    }

    private static void handle(ConsumerRecord<byte[], byte[]> record) throws java.io.IOException {
        SmsDelivery event = JSON.readValue(record.value(), SmsDelivery.class);
        if (take(event)) {
            Map<String, Object> told = new LinkedHashMap<>();
            told.put("message_id", event.messageId());
            told.put("outcome", event.outcome());
            told.put("status", event.status());
            told.put("final", event.isFinal());
            told.put("corrects", event.corrects());
            System.out.println(JSON.writeValueAsString(told));
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
