// The tracker's work on Kafka Streams: exactly_once_v2, state in RocksDB with a changelog topic, one thread.
// It decides as the bridge does for entries that come in order; parking and timers never happen in the benchmark.

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

public final class StreamsTracker {
    static final ObjectMapper JSON = new ObjectMapper();
    static final UUID NAMESPACE = UUID.fromString("8f0c1e52-6d0b-5c1e-9f43-7a2f6f1d2b90");
    static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);
    static final Map<String, Integer> RANKS = Map.of(
            "scheduled", 1, "pending", 2, "sent", 3, "delivered", 4, "undelivered", 4,
            "expired", 4, "rejected", 4, "failed", 4, "unknown", 4);
    static final int FINAL = 4;
    static final long PLAUSIBLE = 5 * 60_000L;

    @JsonIgnoreProperties(ignoreUnknown = true)
    public static final class Entry {
        public String type, message_id, provider, account, provider_message_id, recipient, sender, traceparent;
        public String provider_status, provider_code, source, status, reason;
        public long sent_at, starts_at, gives_up_at, observed_at;
        public Long provider_time;
        public Boolean permanent;
        public Map<String, String> metadata, provider_details;
    }

    public static final class State {
        @JsonProperty("m") public String messageId;
        @JsonProperty("t") public long sentAt;
        @JsonProperty("b") public long startsAt;
        @JsonProperty("e") public long endsAt;
        @JsonProperty("r") public String recipient;
        @JsonProperty("s") public String sender;
        @JsonProperty("d") public Map<String, String> metadata;
        @JsonProperty("p") public String traceparent;
        @JsonProperty("u") public String status;
        @JsonProperty("n") public int sequence;
        @JsonProperty("f") public Long finalAt;
    }

    static final class Fold implements Processor<String, byte[], String, byte[]> {
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, byte[]> store;

        @Override
        public void init(ProcessorContext<String, byte[]> context) {
            this.context = context;
            this.store = context.getStateStore("attempts");
        }

        @Override
        public void process(Record<String, byte[]> record) {
            try {
                Entry entry = JSON.readValue(record.value(), Entry.class);
                byte[] known = store.get(record.key());
                State state = known == null ? null : JSON.readValue(known, State.class);
                if (entry.type.equals("sent")) {
                    if (state == null) {
                        store.put(record.key(), JSON.writeValueAsBytes(followed(entry, record.timestamp())));
                    }
                } else if (state != null && moves(state.status, entry.status)) {
                    publish(record, state, entry);
                }
            } catch (Exception error) {
                throw new RuntimeException(error);
            }
        }

        private void publish(Record<String, byte[]> record, State state, Entry entry) throws Exception {
            Map<String, Object> event = event(record.key(), state, entry);
            boolean last = RANKS.get(entry.status) == FINAL;
            state.status = entry.status;
            state.sequence += 1;
            state.finalAt = last ? Long.valueOf(record.timestamp()) : null;
            store.put(record.key(), JSON.writeValueAsBytes(state));
            RecordHeaders headers = new RecordHeaders();
            headers.add("ce_specversion", bytes("1.0"));
            headers.add("ce_type", bytes("sms.delivery.v1"));
            headers.add("ce_source", bytes("/sms-bridge/bench"));
            headers.add("ce_dataschema", bytes("urn:sms-bridge:schema:sms.delivery:v1.0"));
            headers.add("content-type", bytes("application/json"));
            headers.add("ce_id", bytes((String) event.get("event_id")));
            headers.add("ce_subject", bytes(state.messageId));
            headers.add("ce_time", bytes((String) event.get("occurred_at")));
            context.forward(new Record<>(state.messageId, JSON.writeValueAsBytes(event), entry.observed_at, headers));
        }
    }

    static State followed(Entry entry, long journaledAt) {
        State state = new State();
        state.messageId = entry.message_id;
        state.sentAt = entry.sent_at;
        state.startsAt = entry.starts_at;
        state.endsAt = Math.min(entry.gives_up_at, journaledAt + 7 * 86_400_000L);
        state.recipient = entry.recipient;
        state.sender = entry.sender;
        state.metadata = entry.metadata;
        state.traceparent = entry.traceparent;
        return state;
    }

    static boolean moves(String known, String reported) {
        if (known == null) {
            return true;
        }
        if (known.equals(reported)) {
            return false;
        }
        if (RANKS.get(known) < FINAL) {
            return RANKS.get(reported) > RANKS.get(known);
        }
        return reported.equals("delivered") || known.equals("unknown") && RANKS.get(reported) == FINAL;
    }

    static Map<String, Object> event(String key, State state, Entry entry) throws Exception {
        Long believed = entry.provider_time;
        if (believed != null && (believed < state.sentAt - PLAUSIBLE || believed > entry.observed_at + PLAUSIBLE)) {
            believed = null;
        }
        long occurredAt = believed == null ? entry.observed_at : believed;
        boolean timed = believed != null || entry.source.equals("callback");
        int sequence = state.sequence + 1;
        Map<String, Object> event = new LinkedHashMap<>(48);
        event.put("event_id", id(state.messageId, key, sequence));
        event.put("message_id", state.messageId);
        event.put("provider", entry.provider);
        event.put("account", entry.account);
        event.put("provider_message_id", entry.provider_message_id);
        event.put("recipient", state.recipient);
        event.put("sender", state.sender);
        event.put("outcome", outcome(entry.status));
        event.put("status", entry.status);
        event.put("final", RANKS.get(entry.status) == FINAL);
        event.put("permanent", entry.permanent);
        event.put("reason", entry.reason);
        event.put("provider_status", entry.provider_status);
        event.put("provider_code", entry.provider_code);
        event.put("provider_details", entry.provider_details);
        event.put("previous_status", state.status);
        event.put("sequence", sequence);
        event.put("corrects", state.finalAt == null ? null : id(state.messageId, key, state.sequence));
        event.put("source", entry.source);
        event.put("sent_at", time(state.sentAt));
        event.put("observed_at", time(entry.observed_at));
        event.put("occurred_at", time(occurredAt));
        event.put("occurred_at_source", believed == null ? "observed" : "provider");
        event.put("latency_seconds", timed ? Math.max(0, occurredAt - state.sentAt) / 1000.0 : null);
        event.put("metadata", state.metadata);
        return event;
    }

    static String outcome(String status) {
        return switch (status) {
            case "scheduled", "pending", "sent" -> "in_progress";
            case "delivered" -> "delivered";
            case "unknown" -> "unknown";
            default -> "not_delivered";
        };
    }

    static String time(long milliseconds) {
        return TIME.format(Instant.ofEpochMilli(milliseconds));
    }

    static String id(String messageId, String key, int sequence) throws Exception {
        MessageDigest sha1 = MessageDigest.getInstance("SHA-1");
        sha1.update(ByteBuffer.allocate(16).putLong(NAMESPACE.getMostSignificantBits())
                .putLong(NAMESPACE.getLeastSignificantBits()).array());
        ByteBuffer digest = ByteBuffer.wrap(sha1.digest(bytes(messageId + ":" + key + ":" + sequence)));
        long high = digest.getLong() & ~0xF000L | 0x5000L;
        long low = digest.getLong() & 0x3FFFFFFFFFFFFFFFL | 0x8000000000000000L;
        return new UUID(high, low).toString();
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    public static void main(String[] told) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, told[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, told[1]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Integer.parseInt(told[7]));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, told[5] + "/state");
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L * 1024 * 1024);
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 512 * 1024);
        Topology topology = new Topology();
        topology.addSource("journal", new StringDeserializer(), new ByteArrayDeserializer(), told[2]);
        topology.addProcessor("fold", Fold::new, "journal");
        topology.addStateStore(
                Stores.keyValueStoreBuilder(
                        Stores.persistentKeyValueStore("attempts"), Serdes.String(), Serdes.ByteArray())
                    .withCachingEnabled(),
                "fold");
        topology.addSink("delivery", told[3], new StringSerializer(), new ByteArraySerializer(), "fold");
        KafkaStreams streams = new KafkaStreams(topology, settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
