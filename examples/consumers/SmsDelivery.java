// Written by `make docs` from schemas/sms.delivery.v1.json.

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Map;

/** sms.delivery v1: the type of a record's value, for Jackson. */
@JsonIgnoreProperties(ignoreUnknown = true)
public record SmsDelivery(
        /** This event's id, a UUIDv5 over the attempt and `sequence`: the same after any replay. */
        @JsonProperty("event_id") String eventId,
        /** The sender's own id of the message; several attempts may share it. */
        @JsonProperty("message_id") String messageId,
        /** Who was asked to deliver it. */
        @JsonProperty("provider") String provider,
        /** Which of the provider's accounts was used. */
        @JsonProperty("account") String account,
        /** The id that the provider gave to the message; together with provider and account it names the attempt. */
        @JsonProperty("provider_message_id") String providerMessageId,
        /** The phone number as the sender wrote it, its HMAC-SHA-256 or null, as the bridge's privacy setting says. */
        @JsonProperty("recipient") String recipient,
        /** Whom the recipient sees as its sender; null where the sender's event didn't say. */
        @JsonProperty("sender") String sender,
        /** All that a simple consumer needs; closed, so that it never grows another value. */
        @JsonProperty("outcome") Outcome outcome,
        /** What became of the attempt, in the bridge's words; may grow, and consumers read an unknown one by
         * `outcome`. */
        @JsonProperty("status") String status,
        /** True where nothing follows but, at most, a correction. */
        @JsonProperty("final") boolean isFinal,
        /** Whether sending the same again would fail the same way; null where the provider doesn't say. */
        @JsonProperty("permanent") Boolean permanent,
        /** Why it wasn't delivered, `none` where there is nothing to explain; may grow, and consumers read an
         * unknown one by `outcome`. */
        @JsonProperty("reason") String reason,
        /** The provider's own word, exactly as it wrote it; null where a deadline spoke and not the provider. */
        @JsonProperty("provider_status") String providerStatus,
        /** The provider's own code beside it, exactly as it wrote it; null where it gave none. */
        @JsonProperty("provider_code") String providerCode,
        /** Extras that the provider gave, verbatim; of this version `mccmnc`, `segments`, `price`, `network_id` and
         * `tat`. */
        @JsonProperty("provider_details") Map<String, String> providerDetails,
        /** The status of this attempt's event before this one; null in its first; may grow as `status` does. */
        @JsonProperty("previous_status") String previousStatus,
        /** This event's number within its attempt, from 1 and without gaps. */
        @JsonProperty("sequence") long sequence,
        /** The `event_id` of the final event that this one overrules; null where it overrules none. */
        @JsonProperty("corrects") String corrects,
        /** How the bridge learnt it: the provider called, the bridge asked, or the time was up; closed. */
        @JsonProperty("source") Source source,
        /** When the provider took the message, as the sender said; in UTC with milliseconds. */
        @JsonProperty("sent_at") String sentAt,
        /** When the bridge learnt it; in UTC with milliseconds. */
        @JsonProperty("observed_at") String observedAt,
        /** When it happened, by the provider's clock or by `sent_at` and the time that it says it took, where that
         * is plausible, else `observed_at`; in UTC with milliseconds. */
        @JsonProperty("occurred_at") String occurredAt,
        /** Whose clock `occurred_at` is from: the provider's, or the bridge's own; closed. */
        @JsonProperty("occurred_at_source") OccurredAtSource occurredAtSource,
        /** Seconds from `sent_at` to `occurred_at`, never negative; null where neither the provider's time nor a
         * callback says when it happened. */
        @JsonProperty("latency_seconds") Double latencySeconds,
        /** The sender's metadata, as it came with the message. */
        @JsonProperty("metadata") Map<String, String> metadata) {

    /** The values of `outcome`. */
    public enum Outcome {
        @JsonProperty("in_progress")
        IN_PROGRESS,
        @JsonProperty("delivered")
        DELIVERED,
        @JsonProperty("not_delivered")
        NOT_DELIVERED,
        @JsonProperty("unknown")
        UNKNOWN
    }

    /** The values of `source`. */
    public enum Source {
        @JsonProperty("callback")
        CALLBACK,
        @JsonProperty("poll")
        POLL,
        @JsonProperty("deadline")
        DEADLINE
    }

    /** The values of `occurred_at_source`. */
    public enum OccurredAtSource {
        @JsonProperty("provider")
        PROVIDER,
        @JsonProperty("observed")
        OBSERVED
    }
}
