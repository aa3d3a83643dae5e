// Keeps the latest status of every message from sms.delivery, with kafkajs. The type of an event is in sms-delivery.ts.
//
//     npm install
//     BOOTSTRAP_SERVERS=localhost:9092 GROUP=my-team node latest-status.mjs

import { Kafka, logLevel } from "kafkajs";

/** @typedef {import("./sms-delivery.js").SmsDelivery} SmsDelivery */

const { BOOTSTRAP_SERVERS = "localhost:9092", GROUP = "my-team", TOPIC = "sms.delivery" } = process.env;

// The last event of each attempt. A real consumer stores it in its database, in the same transaction as its work.
/** @type {Map<string, SmsDelivery>} */
const latest = new Map();

/**
 * Keeps an event unless it is a duplicate: within an attempt, sequence only increases.
 * @param {SmsDelivery} event
 */
function take(event) {
  const attempt = JSON.stringify([event.provider, event.account, event.provider_message_id]);
  const known = latest.get(attempt);
  if (known && event.sequence <= known.sequence) return false;
  latest.set(attempt, event);
  return true;
}

const kafka = new Kafka({ brokers: BOOTSTRAP_SERVERS.split(","), logLevel: logLevel.ERROR });
// kafkajs reads only committed records unless readUncommitted is true; it is explicit here because it is important.
const consumer = kafka.consumer({ groupId: GROUP, readUncommitted: false });

process.once("SIGTERM", () => consumer.disconnect().then(() => process.exit(0)));

await consumer.connect();
await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
await consumer.run({
  // Offsets are committed after eachMessage: after a crash, events are read again, and take drops them.
  eachMessage: async ({ message }) => {
    /** @type {SmsDelivery} */
    const event = JSON.parse(String(message.value));
    if (!take(event)) return;
    const { message_id, outcome, status, final, corrects } = event;
    console.log(JSON.stringify({ message_id, outcome, status, final, corrects }));
  },
});
