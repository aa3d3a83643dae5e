// Live events: a stream of what is published, for as long as the page is open.

import { $, HERE, clock, make, number, recipient, tag, words } from "./elements.js";
import { open } from "./search.js";

const MAX_EVENTS = 100;

let held = [];
let paused = false;
let source = null;

export function listen() {
  source = new EventSource(`${HERE}api/events`);
  source.addEventListener("reading", () => pulse("live", "live"));
  source.addEventListener("trouble", (message) => pulse("lost", JSON.parse(message.data).error));
  source.addEventListener("error", () => {
    pulse("lost", "reconnecting");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  });
  source.addEventListener("deliveries", (message) => {
    const { events, left_out: leftOut } = JSON.parse(message.data);
    pulse("live", leftOut ? `live; ${number(leftOut)} more than shown` : "live");
    held.push(...events.sort((a, b) => (a.observed_at < b.observed_at ? -1 : 1)));
    held = held.slice(-MAX_EVENTS);
    if (!paused && !$("events").contains(document.activeElement) && !$("events").matches(":hover")) flush();
    else $("pause").textContent = paused ? `Resume (${held.length} new)` : "Pause";
  });
}

let state = ["", ""]; // of the stream, by what it said last
let isSilent = false; // nothing comes from a process that hangs, not even the stream's end

function pulse(kind, text) {
  state = [kind, text];
  const [shownKind, shownText] = isSilent ? ["lost", "no answer"] : state;
  if ($("pulse").textContent !== shownText) $("pulse").textContent = shownText;
  $("pulse").className = `pulse ${shownKind}`;
}

export function silence(now) {
  isSilent = now;
  pulse(...state);
}

export function flush() {
  const list = $("events");
  for (const event of held) {
    const item = row(event);
    if (list.children.length) item.className = "new";
    list.prepend(item);
  }
  while (list.children.length > MAX_EVENTS) list.lastElementChild.remove();
  held = [];
  filter();
}

function row(event) {
  const kind = event.outcome;
  const button = make("button.row.event", { type: "button", tabindex: "-1", title: "What happened to this message" },
    make("span.at.dim.number", {}, clock(event.observed_at)),
    make("span.mono", { title: event.message_id }, event.message_id),
    make("span.where.dim", {}, `${event.provider}${event.account === "default" ? "" : ` / ${event.account}`}`, event.recipient ? [" → ", recipient(event.recipient)] : null),
    tag(`${event.corrects ? "↻ " : ""}${words(event.status)}`, kind),
    make("span.word.dim", {}, event.reason !== "none" ? words(event.reason) : event.provider_status || ""),
    make("span.source.dim", {}, event.source));
  button.addEventListener("click", () => open(event.message_id));
  const item = make("li", { "data-provider": event.provider, "data-outcome": kind }, button);
  item.dataset.text = JSON.stringify(Object.values(event)).toLowerCase();
  return item;
}

export function filter() {
  const text = $("events-text").value.trim().toLowerCase();
  const [by, outcome] = [$("events-provider").value, $("events-outcome").value];
  let seen = 0;
  for (const item of $("events").children) {
    item.hidden = Boolean((by && item.dataset.provider !== by) || (outcome && item.dataset.outcome !== outcome) || (text && !item.dataset.text.includes(text)));
    if (!item.hidden) item.firstElementChild.tabIndex = seen++ ? -1 : 0; // one stop for Tab; arrows do the rest
  }
  const empty = $("no-events");
  empty.hidden = seen > 0;
  empty.textContent = $("events").children.length ? "No recent events match." : "No events yet. They appear here as they are published.";
}

export function offer(names) {
  const select = $("events-provider");
  for (const name of names) {
    if (![...select.options].some((option) => option.value === name)) select.append(make("option", { value: name }, name));
  }
}

export function pause() {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Resume" : "Pause";
  if (!paused) flush();
}

// The list stands still while somebody points at it or is in it.
export function rest() {
  if (!paused) flush();
}
