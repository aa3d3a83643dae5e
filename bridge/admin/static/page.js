// The status page: it polls the process's status every few seconds and shows it. Nothing here changes anything.
// Input is inserted as text, never as markup.
"use strict";

const STATUS_INTERVAL_MS = 3000;
const STATUS_TIMEOUT_MS = 4000; // a process that hangs keeps the connection open
const MAX_EVENTS = 100;
const AGES = [["<1m", "under 1 min"], ["<10m", "under 10 min"], ["<1h", "under 1 h"], ["<6h", "under 6 h"], ["<24h", "under 24 h"], ["older", "older"]];
const OUTCOMES = { scheduled: "in_progress", pending: "in_progress", sent: "in_progress", delivered: "delivered", unknown: "unknown" };

const STATE_TEXTS = { level: "caught up", "catching up": "catching up", restoring: "restoring", "no answer": "without an answer of Kafka" };
const OUTCOME_TEXTS = { report: "with a report", no_report: "without a report", journaled: "accepted", dead_lettered: "unreadable" };

// Without the name and password that may be in the address: fetch refuses them.
const HERE = location.origin + location.pathname.replace(/[^/]*$/, "");

const $ = (id) => document.getElementById(id);

// --- making elements -----------------------------------------------------------------------------------------------

function make(name, members = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [member, value] of Object.entries(members)) {
    if (value !== null && value !== undefined) element.setAttribute(member, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

function curve(numbers, label) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "curve");
  svg.setAttribute("viewBox", "0 0 100 30");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  if (numbers.length > 1) {
    const most = Math.max(...numbers, 1);
    const points = numbers.map((n, i) => `${(100 * i / (numbers.length - 1)).toFixed(2)},${(29 - 27 * n / most).toFixed(2)}`);
    for (const [kind, d] of [["area", `M0,30 L${points.join(" L")} L100,30 Z`], ["edge", `M${points.join(" L")}`]]) {
      const path = document.createElementNS(space, "path");
      path.setAttribute("class", kind);
      path.setAttribute("d", d);
      svg.append(path);
    }
  }
  return svg;
}

const tag = (text, kind = "") => make(`span.tag${kind ? "." + kind : ""}`, {}, text);
const words = (text) => String(text).replaceAll("_", " ");

// --- numbers and times ---------------------------------------------------------------------------------------------

function number(value) {
  if (value === null || value === undefined) return "–";
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 });
}

function lasting(seconds) {
  if (seconds < 60) return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = units.findIndex(([size]) => seconds >= size);
  const count = Math.floor(seconds / units[first][0]);
  const next = units[first + 1];
  const rest = next ? Math.floor((seconds % units[first][0]) / next[0]) : 0;
  return `${count} ${units[first][1]}${rest ? ` ${rest} ${next[1]}` : ""}`;
}

function clock(text) {
  const date = new Date(text);
  return date.toLocaleTimeString("en-GB", { hour12: false });
}

function moment(text, withDate = false) {
  const date = new Date(text);
  const day = date.toLocaleDateString("en-CA");
  const shown = withDate || day !== new Date().toLocaleDateString("en-CA") ? `${day} ${clock(text)}` : clock(text);
  return make("time", { datetime: date.toISOString(), title: date.toISOString() }, shown);
}

// --- status --------------------------------------------------------------------------------------------------------

let answered = 0;

async function look() {
  try {
    const response = await fetch(`${HERE}api/status`, { cache: "no-store", signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const status = await response.json();
    answered = Date.now();
    document.body.classList.remove("old");
    show(status);
  } catch (error) {
    const since = answered ? ` since ${clock(new Date(answered).toISOString())}` : "";
    document.body.classList.add("old");
    verdict("wrong", `No answer${since}: the process hangs or is down, or the connection to it is`);
  }
}

function verdict(kind, text) {
  const place = $("verdict");
  if (place.dataset.said === kind + text) return; // a screen reader would read the same text again
  place.dataset.said = kind + text;
  place.className = `verdict ${kind}`;
  place.lastElementChild.textContent = text;
  document.title = kind === "well" ? "sms-bridge" : `${kind === "wrong" ? "✖" : "!"} sms-bridge`;
}

function show(status) {
  const wrong = status.concerns.filter((concern) => concern.level === "wrong").length;
  const count = status.concerns.length;
  verdict(wrong ? "wrong" : count ? "warning" : "well",
    count ? `${count} ${count === 1 ? "thing needs" : "things need"} attention` : "All is well");
  $("identity").replaceChildren(`version ${status.version} · ${status.roles.join(", ")} · up ${lasting(status.uptime_seconds)}`);
  $("concerns").replaceChildren(...status.concerns.map((concern) => make(`li.${concern.level}`, {}, concern.text)));
  $("tiles").replaceChildren(...tiles(status));
  $("providers").replaceChildren(...status.providers.map(provider));
  $("pending").replaceChildren(...pending(status.pending));
  $("partitions").replaceChildren(...partitions(status));
  $("notices").replaceChildren(...notices(status.notices));
  offer(status.providers.map((one) => one.provider));
}

function tile(name, value, note, ...more) {
  return make("dl.tile", {}, make("dt", {}, name), make("dd.big.number", {}, value), make("dd.note", {}, note), ...more);
}

function tiles(status) {
  const letters = Object.values(status.dead_letters).reduce((sum, count) => sum + count, 0);
  const parts = status.parts.map((part) => {
    const shown = tag(`${part.ready ? "✓" : "✖"} ${part.name}`, part.ready ? "well" : "wrong");
    shown.title = `${part.ready ? "ready" : part.why}, for ${lasting(part.since_seconds)}`;
    return shown;
  });
  return [
    tile("Events published per minute", number(status.published_per_minute), "\u00a0",
      curve(status.published_course, "Events published over the last ten minutes")),
    tile("Sent events accepted per minute", number(status.sent_per_minute), status.roles.includes("intake") ? "from sms.sent" : "another process does this"),
    tile("Open messages", number(status.pending.followed),
      `${number(status.pending.parked)} reports wait for their sent event · ${number(letters)} dead letters in 10 min`),
    make("dl.tile", {}, make("dt", {}, "Parts"), make("dd.parts", {}, parts)),
  ];
}

function provider(one) {
  const rate = one.delivery_rate === null ? "–" : `${(100 * one.delivery_rate).toFixed(one.delivery_rate === 1 ? 0 : 1)} %`;
  const ended = Object.values(one.ended).reduce((sum, count) => sum + count, 0);
  const told = (counts) => Object.entries(counts).sort((a, b) => b[1] - a[1]).slice(0, 3)
    .map(([name, count]) => `${number(count)} ${OUTCOME_TEXTS[name] || words(name)}`).join(", ") || "none in 10 min";
  const together = one.accounts.length > 1 ? make("small.dim", {}, `${one.accounts.length} accounts together`) : null;
  return make("section.card.provider", { "aria-label": one.provider },
    make("div.head", {}, make("h3", {}, one.provider), together, curve(one.course, `Events of ${one.provider} over the last ten minutes`)),
    make("dl.figures", {},
      figure("Delivered", rate, ended ? `of ${number(ended)} final in 10 min` : "none final in 10 min"),
      figure("Callbacks per minute", number(one.callbacks_per_minute), told(one.callbacks)),
      figure("Polls per minute", number(one.polls_per_minute), one.polls_due ? `${number(one.polls_due)} are due` : told(one.polls))),
    one.accounts.map(account));
}

function figure(name, value, note) {
  return make("div.figure", {}, make("dt", {}, name), make("dd.number", {}, value, make("small", {}, note)));
}

function account(one) {
  const error = one.last_error;
  return make("div.account", {}, make("b", {}, one.account),
    tag(one.called ? "callbacks" : "no callbacks"),
    one.polled ? tag(one.circuit === "open" ? "polling paused" : "polled", one.circuit === "open" ? "wrong" : "well") : tag("not polled"),
    one.credentials === "refused" ? tag("credentials refused", "wrong") : null,
    error ? make("p", {}, moment(error.at), ` ${error.text}${error.members.error ? `: ${error.members.error}` : ""}`) : null);
}

function pending(seen) {
  if (!seen.followed) return [make("p.empty", {}, "No open messages: every message has a final status.")];
  const rows = Object.entries(seen.ages).map(([name, counts]) => {
    const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const stack = make("div.stack", { role: "img", "aria-label": AGES.map(([age, text]) => `${counts[age] || 0} ${text}`).join(", ") });
    AGES.forEach(([age, text], index) => {
      if (!counts[age]) return;
      const piece = make(`i.age-${index + 1}`, { title: `${number(counts[age])} ${text}` });
      piece.style.flex = `${counts[age]} 0 0`;
      stack.append(piece);
    });
    return [make("span", {}, name), stack, make("span.number", {}, number(all))];
  });
  const used = AGES.filter(([age]) => Object.values(seen.ages).some((counts) => counts[age]));
  const legend = used.map(([age, text]) => make("span", {}, make(`i.age-${AGES.findIndex(([one]) => one === age) + 1}`), text));
  const rest = seen.followed - seen.looked_at;
  return [make("div.ages", {}, rows), make("div.legend", {}, legend),
    rest > 0 && seen.looked_at >= 500 ? make("p.beneath", {}, `and ${number(rest)} more with a later deadline`) : null].filter(Boolean);
}

function partitions(status) {
  const { own, in_all: inAll, restore_entries_remaining: left } = status.partitions;
  if (!own.length) return [make("p.empty", {}, status.roles.includes("track") ? "None: other processes own them." : "This process doesn't track.")];
  const cells = own.map((one) => {
    const late = one.state === "catching up";
    const silent = one.state === "no answer";
    const kind = one.state === "restoring" ? ".restoring" : late || silent ? ".late" : "";
    const behind = silent ? "" : `, ${number(one.lag_entries)} entries (${lasting(one.lag_seconds)}) behind`;
    const told = `partition ${one.number}: ${STATE_TEXTS[one.state]}${behind}, ${number(one.followed)} open messages`;
    return make(`li.cell${kind}`, { title: told }, make("span", { "aria-hidden": "true" }, one.number,
      kind ? make("small", {}, late ? number(one.lag_entries) : "…") : null), make("span.hidden", {}, told));
  });
  const counts = ["level", "catching up", "restoring", "no answer"].map((state) => [own.filter((one) => one.state === state).length, STATE_TEXTS[state]]);
  const caughtUp = counts[0][0] === own.length;
  const summary = caughtUp ? "all caught up" : counts.filter(([count]) => count).map(([count, state]) => `${count} ${state}`).join(", ");
  const behind = own.reduce((sum, one) => sum + one.lag_entries, 0);
  return [make("ul.cells", {}, cells), make("p.beneath", {},
    `${own.length} of ${inAll} partitions here, ${summary}${behind ? `; ${number(behind)} entries behind` : ""}${left ? `; ${number(left)} states to restore` : ""}`)];
}

function notices(all) {
  if (!all.length) return [make("li.empty", {}, "None since the start.")];
  return all.map((one) => make("li", {}, moment(one.at), tag(one.level, one.level === "warning" ? "warning" : "wrong"),
    make("p.line", { title: Object.values(one.members).join(" ") }, one.text, " ", make("span.members", {}, Object.entries(one.members)
      .filter(([name]) => name !== "logger").map(([name, value]) => `${name}=${value}`).join(" ")))));
}

// --- live events ---------------------------------------------------------------------------------------------------

let held = [];
let paused = false;
let source = null;

function listen() {
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

function pulse(kind, text) {
  if ($("pulse").textContent !== text) $("pulse").textContent = text;
  $("pulse").className = `pulse ${kind}`;
}

function flush() {
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
  const button = make("button.event", { type: "button", tabindex: "-1", title: "What happened to this message" },
    make("span.at.dim.number", {}, clock(event.observed_at)),
    make("span.mono", { title: event.message_id }, event.message_id),
    make("span.where.dim", {}, `${event.provider}${event.account === "default" ? "" : ` / ${event.account}`}${event.recipient ? ` → ${event.recipient}` : ""}`),
    tag(`${event.corrects ? "↻ " : ""}${words(event.status)}`, kind),
    make("span.word.dim", {}, event.reason !== "none" ? words(event.reason) : event.provider_status || ""),
    make("span.source.dim", {}, event.source));
  button.addEventListener("click", () => find(event.message_id));
  const item = make("li", { "data-provider": event.provider, "data-outcome": kind }, button);
  item.dataset.text = JSON.stringify(Object.values(event)).toLowerCase();
  return item;
}

function filter() {
  const text = $("by-text").value.trim().toLowerCase();
  const [by, outcome] = [$("by-provider").value, $("by-outcome").value];
  let seen = 0;
  for (const item of $("events").children) {
    item.hidden = Boolean((by && item.dataset.provider !== by) || (outcome && item.dataset.outcome !== outcome) || (text && !item.dataset.text.includes(text)));
    if (!item.hidden) item.firstElementChild.tabIndex = seen++ ? -1 : 0; // one stop for Tab; arrows do the rest
  }
  const empty = $("no-events");
  empty.hidden = seen > 0;
  empty.textContent = $("events").children.length ? "No recent events match." : "No events yet. They appear here as they are published.";
}

function offer(names) {
  const select = $("by-provider");
  for (const name of names) {
    if (![...select.options].some((option) => option.value === name)) select.append(make("option", { value: name }, name));
  }
}

function pause() {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Resume" : "Pause";
  if (!paused) flush();
}

// --- one message's timeline-----------------------------------------------------------------------------------------

let asked = 0;

async function find(name) {
  const mine = ++asked;
  $("name").value = name;
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  say("Reading the topics…");
  $("story").replaceChildren();
  let found;
  try {
    const response = await fetch(`${HERE}api/messages?id=${encodeURIComponent(name)}`, { cache: "no-store" });
    found = await response.json();
    if (!response.ok) throw new Error(found.error);
  } catch (error) {
    if (mine === asked) say(error.message, "wrong");
    return;
  }
  if (mine !== asked) return;
  const cost = `${number(found.records_read)} records read in ${lasting(found.seconds)}, back to ${found.since.slice(0, 10)}`;
  if (!found.attempts.length && !found.dead_letters.length) {
    say(`Nothing was found for “${name}”. Is the id complete? ${cost}.`, "wrong");
    return;
  }
  say(`${found.attempts.length} ${found.attempts.length === 1 ? "attempt" : "attempts"}. ${cost}.`);
  $("story").replaceChildren(...found.attempts.map(attempt), ...(found.attempts.length ? [] : [lettersOf(found.dead_letters)]));
  $("story").scrollIntoView({ block: "nearest" });
}

function follow() { // the address's fragment
  let name = "";
  try { name = decodeURIComponent(location.hash.slice(1)); } catch { /* malformed: ignored */ }
  if (name) find(name);
}

function say(text, kind = "") {
  $("found").textContent = text;
  $("found").className = kind;
}

function attempt(one) {
  const events = Object.fromEntries(one.events.map(({ event }) => [event.event_id, event]));
  const last = one.events.length ? one.events[one.events.length - 1].event : null;
  const sent = one.timeline.map((step) => step.entry).find((entry) => entry && "sent_at" in entry);
  const began = sent ? sent.sent_at : null;
  const ended = last && last.final ? new Date(last.occurred_at) - began : null;
  const sum = [
    sent && sent.recipient ? `to ${sent.recipient}` : null,
    sent ? ["sent ", moment(sent.sent_at, true)] : "its sent event is no longer in the journal",
    began && ended !== null && ended >= 0 ? `final after ${lasting(ended / 1000)}` : null,
    last && last.final ? null : one.now,
  ].filter(Boolean).flatMap((part, index) => (index ? [" · ", part] : [part])).flat();
  return make("article.card.attempt", { "aria-label": `attempt ${one.attempt}` },
    make("div.title", {}, make("h3.mono", {}, one.message_id || "no message yet"),
      last ? tag(words(last.status), last.outcome) : tag("no event yet"),
      last && last.reason !== "none" ? make("span.dim", {}, words(last.reason)) : null,
      make("span.key.mono", {}, one.attempt)),
    make("p.sum", {}, sum),
    make("ol.steps", {}, one.timeline.map((step) => stepOf(step, began, events))),
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
    const shown = tag(words(one.status), event ? event.outcome : OUTCOMES[one.status] || "not_delivered");
    shown.title = `event ${one.sequence}, ${one.event_id}`;
    return [" ", shown, event && event.final ? make("span.dim", {}, event.corrects ? " final, a correction" : " final") : null];
  });
  const raw = entry && "raw" in entry ? entry.raw : entry ? JSON.stringify(entry, null, 2) : null;
  return make("li.step", { tabindex: "-1" },
    make("div", {}, moment(step.at), after !== null && after >= 0.05 ? make("small.dim.number", {}, ` +${lasting(after)}`) : null),
    make(`span.mark${first ? "." + first.outcome : ""}`, { "aria-hidden": "true" }),
    make("div", {},
      make("p", {}, make("span.said", {}, said), make("span.dim", {}, ` · ${step.source}`)),
      make("p.why", {}, step.why, results.length && !step.why.includes("published") ? "; published" : null, results.flat()),
      raw ? make("details", {}, make("summary", {}, step.offset === null ? "raw text" : `raw text, journal offset ${step.offset}`), make("pre", {}, raw)) : null));
}

function lettersOf(letters) {
  return make("section.card.attempt", { "aria-label": "dead letters" }, make("h3", {}, "Dead letters"),
    make("ul.notices", {}, letters.map((letter) => make("li", {},
      make("span.dim", {}, letter.headers.received_at ? moment(letter.headers.received_at) : "–"), tag(letter.headers.reason || "?", "wrong"),
      make("div", {}, letter.headers.error || "", make("pre", {}, letter.value))))));
}

// --- keys ----------------------------------------------------------------------------------------------------------

function theme(chosen) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = chosen || (dark ? "dark" : "light");
}

function toggle() {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try { localStorage.setItem("theme", next); } catch { /* the choice isn't remembered */ }
  theme(next);
}

function remembered() {
  try { return localStorage.getItem("theme"); } catch { return null; }
}

function move(event) {
  const list = event.target.closest(".events, .steps");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!list || !step) return false;
  const stops = [...list.querySelectorAll(list.matches(".events") ? "li:not([hidden]) > button" : "li")];
  const now = stops.indexOf(event.target.closest(list.matches(".events") ? "button" : "li"));
  const next = stops[Math.min(stops.length - 1, Math.max(0, now + step))];
  if (next) next.focus();
  return true;
}

function press(event) {
  const writing = event.target.matches("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (event.target === $("name") && !$("name").value) $("name").blur();
    asked += 1;
    $("story").replaceChildren();
    say("");
    $("name").value = "";
    history.replaceState(null, "", location.pathname + location.search);
  } else if (!writing && event.key === "/") {
    event.preventDefault();
    $("name").focus();
    $("name").select();
  } else if (!writing && event.key === "t") toggle();
  else if (!writing && event.key === "p") pause();
  else if (event.target === $("name") && event.key === "ArrowDown" && $("story").querySelector(".step")) {
    event.preventDefault();
    $("story").querySelector(".step").focus();
  } else if (!writing && move(event)) event.preventDefault();
}

// --- begin ---------------------------------------------------------------------------------------------------------

theme(remembered());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme(remembered()));
$("theme").addEventListener("click", toggle);
$("pause").addEventListener("click", pause);
for (const id of ["by-text", "by-provider", "by-outcome"]) $(id).addEventListener("input", filter);
$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("name").value.trim();
  if (name) find(name);
});
$("events").addEventListener("mouseleave", () => { if (!paused) flush(); });
$("events").addEventListener("focusout", (event) => { if (!paused && !$("events").contains(event.relatedTarget)) flush(); });
document.addEventListener("keydown", press);
addEventListener("hashchange", follow);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
$("zone").textContent = `Times are ${zone}${zone === "UTC" ? "" : "; hover one for UTC"}. The page shows one process; searches cover all.`;

look();
setInterval(() => { if (!document.hidden) look(); }, STATUS_INTERVAL_MS);
listen();
follow();
