// Written by `make docs` from schemas/sms.delivery.v1.json.

/** sms.delivery v1: the type of a record's value, parsed as JSON. */
export interface SmsDelivery {
  /** This event's id, a UUIDv5 over the attempt and `sequence`: the same after any replay. */
  event_id: string;
  /** The sender's own id of the message; several attempts may share it. */
  message_id: string;
  /** Who was asked to deliver it. */
  provider: string;
  /** Which of the provider's accounts was used. */
  account: string;
  /** The id that the provider gave to the message; together with provider and account it names the attempt. */
  provider_message_id: string;
  /** The phone number as the sender wrote it, its HMAC-SHA-256 or null, as the bridge's privacy setting says. */
  recipient: string | null;
  /** Whom the recipient sees as its sender; null where the sender's event didn't say. */
  sender: string | null;
  /** All that a simple consumer needs; closed, so that it never grows another value. */
  outcome: "in_progress" | "delivered" | "not_delivered" | "unknown";
  /** What became of the attempt, in the bridge's words; may grow, and consumers read an unknown one by `outcome`. */
  status: "scheduled" | "pending" | "sent" | "delivered" | "undelivered" | "expired" | "rejected" | "failed" | "unknown" | (string & {});
  /** True where nothing follows but, at most, a correction. */
  final: boolean;
  /** Whether sending the same again would fail the same way; null where the provider doesn't say. */
  permanent: boolean | null;
  /** Why it wasn't delivered, `none` where there is nothing to explain; may grow, and consumers read an unknown one
   * by `outcome`. */
  reason: "none" | "absent_subscriber" | "invalid_number" | "blocked_by_recipient" | "sender_rejected" | "insufficient_credit" | "network" | "validity_expired" | "no_report" | "no_final_report" | "unspecified" | (string & {});
  /** The provider's own word, exactly as it wrote it; null where a deadline spoke and not the provider. */
  provider_status: string | null;
  /** The provider's own code beside it, exactly as it wrote it; null where it gave none. */
  provider_code: string | null;
  /** Extras that the provider gave, verbatim; of this version `mccmnc`, `segments`, `price`, `network_id` and
   * `tat`. */
  provider_details: { [name: string]: string };
  /** The status of this attempt's event before this one; null in its first; may grow as `status` does. */
  previous_status: "scheduled" | "pending" | "sent" | "delivered" | "undelivered" | "expired" | "rejected" | "failed" | "unknown" | (string & {}) | null;
  /** This event's number within its attempt, from 1 and without gaps. */
  sequence: number;
  /** The `event_id` of the final event that this one overrules; null where it overrules none. */
  corrects: string | null;
  /** How the bridge learnt it: the provider called, the bridge asked, or the time was up; closed. */
  source: "callback" | "poll" | "deadline";
  /** When the provider took the message, as the sender said; in UTC with milliseconds. */
  sent_at: string;
  /** When the bridge learnt it; in UTC with milliseconds. */
  observed_at: string;
  /** When it happened, by the provider's clock or by `sent_at` and the time that it says it took, where that is
   * plausible, else `observed_at`; in UTC with milliseconds. */
  occurred_at: string;
  /** Whose clock `occurred_at` is from: the provider's, or the bridge's own; closed. */
  occurred_at_source: "provider" | "observed";
  /** Seconds from `sent_at` to `occurred_at`, never negative; null where neither the provider's time nor a callback
   * says when it happened. */
  latency_seconds: number | null;
  /** The sender's metadata, as it came with the message. */
  metadata: { [name: string]: string };
}
