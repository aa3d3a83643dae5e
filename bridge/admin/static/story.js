// One message's story: what became of it in a sentence, and each step of it.

import { OUTCOMES, copyButton, count, lasting, make, moment, recipient, tag, withTimes, words } from "./elements.js";

const EPOCH_MEMBERS = ["sent_at", "starts_at", "gives_up_at"]; // of a sent event, in milliseconds

export function attempt(one, link) {
  const events = Object.fromEntries(one.events.map(({ event }) => [event.event_id, event]));
  const last = one.events.map(({ event }) => event).filter((event) => event.message_id === one.message_id).pop() || null;
  const sent = one.timeline.map((step) => step.entry).find((entry) => entry && "sent_at" in entry && entry.message_id === one.message_id);
  const began = sent ? sent.sent_at : null;
  const facts = [
    sent && sent.recipient ? ["to ", recipient(sent.recipient)] : null,
    sent ? ["sent ", moment(sent.sent_at, true)] : one.message_id ? "its sent event is no longer in the journal" : null,
    last && last.final ? null : withTimes(one.now),
  ].filter(Boolean).flatMap((part, index) => (index ? [" · ", part] : [part])).flat();
  return make("article.card.attempt", { "aria-label": `attempt ${one.attempt}` },
    make("div.title", {}, make("h3.mono", {}, one.message_id || "no message yet"),
      last ? tag(words(last.status), last.outcome) : tag("no event yet"),
      make("span.key.mono", {}, one.attempt),
      copyButton(link, "Copy link", link)),
    make("p.summary", {}, one.summary),
    one.tell_customer ? make("p.tell", {}, make("span.dim", {}, "Tell the customer: "), one.tell_customer) : null,
    make("p.sum.dim", {}, facts),
    make("ol.steps", {}, one.timeline.map((step) => stepOf(step, began, events))),
    one.left_out_steps ? make("p.beneath", {}, `${count(one.left_out_steps, "step")} in between ${one.left_out_steps === 1 ? "is" : "are"} left out; sms-bridge trace shows all.`) : null,
    one.agrees ? null : make("p.beneath", {}, "The published events differ from what these entries give under today's settings."),
    one.dead_letters.length ? lettersOf(one.dead_letters) : null);
}

function stepOf(step, began, events) {
  const entry = step.entry;
  const first = step.published.length ? events[step.published[step.published.length - 1].event_id] : null;
  const after = began === null ? null : (new Date(step.at) - began) / 1000;
  const said = entry === null ? "the deadline passed" : "sent_at" in entry ? "handed to the provider"
    : `“${entry.provider_status || "?"}”${entry.provider_code ? ` (${entry.provider_code})` : ""}`;
  const results = step.published.map((one) => {
    const event = events[one.event_id];
    const shown = tag(words(one.status), event ? event.outcome : OUTCOMES[one.status] || "not_delivered", `event ${one.sequence}, ${one.event_id}`);
    return [" ", shown, event && event.final ? make("span.dim", {}, event.corrects ? " final, a correction" : " final") : null];
  });
  const raw = entry && "raw" in entry ? entry.raw : entry ? JSON.stringify(entry, readableTimes, 2) : null;
  return make("li.step", { tabindex: "-1" },
    make("div", {}, moment(step.at), after !== null && after >= 0.05 ? make("small.dim.number", {}, ` +${lasting(after)}`) : null),
    make(`span.mark${first ? "." + first.outcome : ""}`, { "aria-hidden": "true" }),
    make("div", {},
      make("p", {}, make("span.said", {}, said), make("span.dim", {}, ` · ${step.source}`)),
      make("p.why", {}, step.why, results.length && !step.why.includes("published") ? "; published" : null, results.flat()),
      raw ? make("details", {}, make("summary", {}, step.offset === null ? "raw text" : `raw text, journal offset ${step.offset}`), make("pre", { tabindex: "0" }, raw)) : null));
}

const readableTimes = (name, value) => (EPOCH_MEMBERS.includes(name) && Number.isFinite(value) ? new Date(value).toISOString() : value);

export function lettersOf(letters) {
  return make("section.card.attempt", { "aria-label": "dead letters" }, make("h3", {}, "Dead letters"),
    make("ul.notices", {}, letters.map((letter) => make("li", {},
      make("span.dim", {}, letter.headers.received_at ? moment(letter.headers.received_at) : "–"), tag(letter.headers.reason || "?", "wrong"),
      make("div", {}, letter.headers.error || "", make("pre", { tabindex: "0" }, letter.value))))));
}
