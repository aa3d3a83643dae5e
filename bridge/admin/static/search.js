// Searches: an id leads to its story, everything else to a list of messages. The address's fragment says which.

import { $, HERE, button, copyButton, count, keepFocus, lasting, make, moment, number, read, recipient, tag, words } from "./elements.js";
import { attempt, lettersOf } from "./story.js";

const PART = "search"; // of the page
const FILTERS = ["status", "provider", "since"];
const DEFAULT_SINCE = "7d";
const LONG_SINCE = ["7d", "all"];

let running = null; // what is being searched for
let opened = ""; // from a list: where the focus returns to
let lastList = null; // the list that was shown last, for the way back

export function submit() {
  const text = $("text").value.trim();
  const filters = new URLSearchParams({ text });
  for (const name of FILTERS) if ($(`by-${name}`).value) filters.set(name, $(`by-${name}`).value);
  const isFiltered = filters.has("status") || filters.has("provider") || $("by-since").value !== DEFAULT_SINCE;
  go(text && !isFiltered ? `#${encodeURIComponent(text)}` : `#?${filters}`);
}

export function open(name) {
  opened = name;
  go(`#${encodeURIComponent(name)}`);
}

export function go(hash) {
  if (location.hash !== hash) history.pushState(null, "", hash);
  follow();
}

export function close() {
  if (running) running.abort();
  const hasList = lastList && location.hash !== lastList.hash && $("story").children.length;
  if (hasList) return go(lastList.hash);
  history.pushState(null, "", location.pathname + location.search);
  clear();
  $("text").value = "";
  lastList = null;
  return undefined;
}

// Show what the address's fragment names: a story, a list, or nothing.
export async function follow() {
  const { hash } = location;
  if (running) running.abort();
  clear();
  if (hash.length < 2) return;
  if (lastList && lastList.hash === hash) return showList(lastList);
  const mine = running = new AbortController();
  $("search").setAttribute("aria-busy", "true");
  say("Reading the topics…");
  try {
    await (hash.startsWith("#?") ? list(new URLSearchParams(hash.slice(2)), mine.signal, hash) : story(decode(hash), mine.signal, hash));
  } catch (error) {
    if (running === mine) say(error.message, "wrong");
  } finally {
    if (running === mine) $("search").removeAttribute("aria-busy");
  }
}

function decode(hash) {
  try { return decodeURIComponent(hash.slice(1)); } catch { return hash.slice(1); }
}

async function story(name, signal, hash, thorough = false) {
  $("text").value = name;
  const found = await read("messages", { id: name, ...(thorough ? { thorough: "" } : {}) }, PART, signal);
  if (found.attempts.length) showStory(found, hash, thorough);
  else await list(new URLSearchParams({ text: name, since: DEFAULT_SINCE }), signal, hash, found.dead_letters);
}

async function list(filters, signal, hash, letters = []) {
  $("text").value = filters.get("text") || "";
  for (const name of FILTERS) offer(`by-${name}`, filters.get(name) || "");
  const recent = await listRecent(filters, signal, hash);
  let found;
  try {
    found = await read("search", filters, PART, signal);
  } catch (error) {
    if (!recent || signal.aborted) throw error;
    return showList(recent, `Only the last 24 hours: ${error.message}.`);
  }
  if (found.rows.length === 1 && filters.get("text")) {
    const one = await read("messages", { id: found.rows[0].attempt }, PART, signal);
    if (one.attempts.length) return showStory(one, hash);
  }
  if (!found.rows.length && letters.length) {
    say(`No message was found, but ${count(letters.length, "dead letter")}. ${cost(found)}`);
    return $("story").replaceChildren(lettersOf(letters));
  }
  lastList = { found, hash, filters };
  return showList(lastList);
}

// Most questions are about today: that is read first, and shown while the rest is read.
async function listRecent(filters, signal, hash) {
  if (!filters.get("text") || !LONG_SINCE.includes(filters.get("since"))) return null;
  const today = new URLSearchParams(filters);
  today.set("since", "24h");
  const found = await read("search", today, PART, signal);
  if (!found.rows.length) return null;
  const recent = { found, hash, filters };
  showList(recent, "Reading on, further back…");
  return recent;
}

function offer(id, value) { // a link may name a provider or a time that the page doesn't
  const select = $(id);
  if (![...select.options].some((option) => option.value === value)) select.append(make("option", { value }, value));
  select.value = value;
}

export function offerProviders(names) {
  const select = $("by-provider");
  for (const name of names) {
    if (![...select.options].some((option) => option.value === name)) select.append(make("option", { value: name }, name));
  }
}

function cost(found) {
  return `${count(found.records_read ?? found.read, "record")} read in ${lasting(found.seconds)}, back to ${found.since.slice(0, 10)}.`;
}

function showStory(found, hash, thorough = false) {
  const many = found.attempts.length > 1 ? `${found.attempts.length} attempts, the first one first. ` : "";
  say([many, found.dead_letters_left ? "Not all dead letters were looked through. " : "", cost(found)]);
  if (lastList && lastList.hash !== hash) $("found").prepend(button("← Back to the list", () => go(lastList.hash), { id: "back" }), " ");
  const name = found.attempts[0].message_id;
  if (name && !thorough && !found.complete) {
    $("found").append(" ", button("Look for attempts without a report, too", () => again(name, hash), {}));
  }
  $("story").replaceChildren(...found.attempts.map((one) => attempt(one, `${HERE}#${encodeURIComponent(one.message_id || one.attempt)}`)));
  $("search-area").scrollIntoView({ block: "start" });
  keepFocus($("story").querySelector(".step"));
}

async function again(name, hash) {
  if (running) running.abort();
  const mine = running = new AbortController();
  say("Reading all of the journal…");
  try {
    await story(name, mine.signal, hash, true);
  } catch (error) {
    if (running === mine) say(error.message, "wrong");
  }
}

function showList({ found, filters }, remark = "") {
  const { rows } = found;
  const text = filters.get("text") || "";
  if (document.activeElement !== $("text")) $("text").value = text; // somebody may be typing the next one
  if (!rows.length) {
    return say([`No message was found${text ? ` for “${text}”` : ""}. `, found.note ? `${found.note} ` : "", cost(found)], "wrong");
  }
  say([`${number(rows.length)}${found.left_out ? " newest" : ""} ${rows.length === 1 ? "message" : "messages"}${found.left_out ? "; there are older ones" : ""}. `,
    found.note ? `${found.note} ` : "", remark || cost(found)]);
  const link = make("a.quiet", { href: `${HERE}api/search.csv?${filters}`, download: "" }, "Download CSV");
  $("found").append(make("span.actions", {}, link, copyButton(HERE + location.hash, "Copy link")));
  const focused = $("story").contains(document.activeElement) ? document.activeElement.dataset.name : null; // while it is read on
  $("story").replaceChildren(make("ol.rows.card", { "aria-label": "Messages, the latest one first" },
    make("li.heads", { "aria-hidden": "true" }, ["sent", "message", "to", "status", "reason"].map((head) => make("span", {}, head))), rows.map(rowOf)));
  const all = [...$("story").querySelectorAll(".row")];
  keepFocus(all.find((row) => row.dataset.name === (focused || opened)) || all[0]);
  return undefined;
}

function rowOf(row, index) {
  // A message with events leads to all of its attempts; one without, to the attempt alone.
  const made = make("button.row", { type: "button", tabindex: index ? "-1" : "0", title: "What happened to this message" },
    make("span.at.dim.number", {}, moment(row.sent_at)),
    make("span.mono", { title: row.message_id }, row.message_id),
    make("span.where.dim", {}, `${row.provider}${row.account === "default" ? "" : ` / ${row.account}`}`, row.recipient ? [" → ", recipient(row.recipient)] : null),
    tag(row.status ? `${row.corrected ? "↻ " : ""}${words(row.status)}` : "no report yet", row.status ? row.outcome : ""),
    make("span.word.dim", {}, row.reason === "none" ? "" : words(row.reason)));
  made.dataset.name = row.updated_at ? row.message_id : row.attempt;
  made.addEventListener("click", () => open(made.dataset.name));
  return make("li", {}, made);
}

function clear() {
  say("");
  $("story").replaceChildren();
  $("search").removeAttribute("aria-busy");
}

function say(parts, kind = "") {
  $("found").replaceChildren(...[parts].flat().filter(Boolean));
  $("found").className = kind;
}
