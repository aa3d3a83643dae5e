// The state of the process, asked for every few seconds.

import { $, clock, count, curve, fetchJson, lasting, make, moment, number, tag, words } from "./elements.js";
import { offer, silence } from "./events.js";
import { offerProviders } from "./search.js";

const STATUS_TIMEOUT_MS = 4000; // a process that hangs keeps the connection open
const AGES = [["<1m", "under 1 min"], ["<10m", "under 10 min"], ["<1h", "under 1 h"], ["<6h", "under 6 h"], ["<24h", "under 24 h"], ["older", "older"]];
const STATE_TEXTS = { level: "caught up", "catching up": "catching up", restoring: "restoring", "no answer": "without an answer of Kafka" };
const OUTCOME_TEXTS = { report: "with a report", no_report: "without a report", journaled: "accepted", dead_lettered: "unreadable" };

let answered = 0;
let runbooks = ""; // where they are; a process that hangs can't tell

export async function look() {
  try {
    const status = await fetchJson("api/status", STATUS_TIMEOUT_MS);
    answered = Date.now();
    document.body.classList.remove("old");
    render("silence", null, () => []);
    silence(false);
    show(status);
  } catch (error) {
    document.body.classList.add("old");
    silence(true);
    const [text, remedy] = describe(error);
    verdict("wrong", text.split(": ")[0]);
    const url = runbooks ? `${runbooks.replace(/\/$/, "")}/SmsBridgeInstanceDown.md` : null;
    render("silence", { level: "wrong", text, remedy: `What is grey is old. ${remedy}`, runbook_url: url }, (one) => [concern(one)]);
  }
}

function describe(error) {
  const since = answered ? ` since ${clock(new Date(answered).toISOString())}` : "";
  if (error.status === 401) return [`No access${since}: the process asks for its token.`, "Reload the page, and give the token as the password."];
  if (error.status) return [`No status${since}: ${error.message}.`, "Look at the process's log."];
  return [`No answer${since}: the process hangs or is down, or the connection to it is.`,
    "Check whether the process runs, and its log; other processes go on with its work."];
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
  const all = status.concerns.length;
  verdict(wrong ? "wrong" : all ? "warning" : "well", all ? `${all} ${all === 1 ? "thing needs" : "things need"} attention` : "All is well");
  $("identity").replaceChildren(`version ${status.version} · ${status.roles.join(", ")} · up ${lasting(status.uptime_seconds)}`);
  runbooks = status.runbooks;
  render("concerns", status.concerns, (concerns) => concerns.map(concern));
  $("tiles").replaceChildren(...tiles(status));
  $("providers").replaceChildren(...status.providers.map(provider));
  render("pending", { ...status.pending, own: status.partitions.own.map((one) => one.state) }, pending);
  render("partitions", { partitions: status.partitions, roles: status.roles }, partitions);
  render("notices", status.notices, notices);
  const names = status.providers.map((one) => one.provider);
  offer(names);
  offerProviders(names);
}

function concern(one) {
  return make(`li.${one.level}`, {}, make("p.what", {}, one.text), make("p", {}, `${one.remedy} `,
    one.here ? [make("a", { href: one.here }, "Show them"), " "] : null,
    one.runbook_url ? make("a", { href: one.runbook_url, target: "_blank", rel: "noreferrer" }, "Runbook") : null));
}

const rendered = {};

// Only what has changed: the focus, a selection and a screen reader stay where they are.
function render(id, data, build) {
  const text = JSON.stringify(data);
  if (rendered[id] === text) return;
  rendered[id] = text;
  $(id).replaceChildren(...build(data));
}

function tile(name, value, note, ...more) {
  return make("div.tile", {}, make("dl", {}, make("dt", {}, name), make("dd.big.number", {}, value), make("dd.note", {}, note)), ...more);
}

function tiles(status) {
  const letters = Object.values(status.dead_letters).reduce((sum, some) => sum + some, 0);
  const parts = status.parts.map((part) => {
    const why = `${part.ready ? "ready" : part.why}, for ${lasting(part.since_seconds)}`;
    return tag(`${part.ready ? "✓" : "✖"} ${part.name}`, part.ready ? "well" : "wrong", why);
  });
  return [
    tile("Events published per minute", number(status.published_per_minute), "\u00a0",
      curve(status.published_course, "Events published over the last ten minutes")),
    tile("Sent events accepted per minute", number(status.sent_per_minute), status.roles.includes("intake") ? "from sms.sent" : "another process does this"),
    tile("Open messages", number(status.pending.followed),
      `${count(status.pending.parked, "report waits for its sent event", "reports wait for their sent event")} · ${count(letters, "dead letter")} in 10 min`),
    make("div.tile", {}, make("dl", {}, make("dt", {}, "Parts"), make("dd.parts", {}, parts))),
  ];
}

function provider(one) {
  const rate = one.delivery_rate === null ? "–" : `${(100 * one.delivery_rate).toFixed(one.delivery_rate === 1 ? 0 : 1)} %`;
  const ended = Object.values(one.ended).reduce((sum, some) => sum + some, 0);
  const told = (counts) => Object.entries(counts).sort((a, b) => b[1] - a[1]).slice(0, 3)
    .map(([name, some]) => `${number(some)} ${OUTCOME_TEXTS[name] || words(name)}`).join(", ") || "none in 10 min";
  const together = one.accounts.length > 1 ? make("small.dim", {}, `${one.accounts.length} accounts together`) : null;
  return make("section.card.provider", { "aria-label": one.provider },
    make("div.head", {}, make("h3", {}, one.provider), together, curve(one.course, `Events of ${one.provider} over the last ten minutes`)),
    make("dl.figures", {},
      figure("Delivered", rate, ended ? `of ${number(ended)} final ${ended === 1 ? "event" : "events"} in 10 min, with corrections` : "no final event in 10 min"),
      figure("Callbacks per minute", number(one.callbacks_per_minute), told(one.callbacks)),
      figure("Polls per minute", number(one.polls_per_minute), one.polls_due ? `${number(one.polls_due)} ${one.polls_due === 1 ? "is" : "are"} due` : told(one.polls))),
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

function describeNone(states) {
  if (!states.length) return "Not known here: this process has no partitions.";
  return states.every((state) => state === "level") ? "No open messages: every message has a final status."
    : "Not known yet: some partitions are being read, or Kafka doesn't answer.";
}

function pending(seen) {
  if (!seen.followed) return [make("p.empty", {}, describeNone(seen.own))];
  const sum = (counts) => Object.values(counts).reduce((all, some) => all + some, 0);
  const most = Math.max(...Object.values(seen.ages).map(sum), 1);
  const rows = Object.entries(seen.ages).map(([name, counts]) => {
    const stack = make("div.stack", { role: "img", "aria-label": `${name}: ${AGES.map(([age, text]) => `${counts[age] || 0} ${text}`).join(", ")}` });
    AGES.forEach(([age, text], index) => {
      if (!counts[age]) return;
      const piece = make(`i.age-${index + 1}`, { title: `${number(counts[age])} ${text}` });
      piece.style.width = `${100 * counts[age] / most}%`; // of the longest bar: all have one scale
      stack.append(piece);
    });
    return [make("span", {}, name), stack, make("span.number", {}, number(sum(counts)))];
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
    const behind = silent ? "" : `, ${count(one.lag_entries, "entry", "entries")} (${lasting(one.lag_seconds)}) behind`;
    const told = `partition ${one.number}: ${STATE_TEXTS[one.state]}${behind}, ${count(one.followed, "open message")}`;
    return make(`li.cell${kind}`, { title: told }, make("span", { "aria-hidden": "true" }, one.number,
      kind ? make("small", {}, late ? number(one.lag_entries) : "…") : null), make("span.hidden", {}, told));
  });
  const counts = ["level", "catching up", "restoring", "no answer"].map((state) => [own.filter((one) => one.state === state).length, STATE_TEXTS[state]]);
  const caughtUp = counts[0][0] === own.length;
  const state = caughtUp ? "all caught up" : counts.filter(([many]) => many).map(([many, text]) => `${many} ${text}`).join(", ");
  const behind = own.reduce((sum, one) => sum + one.lag_entries, 0);
  return [make("ul.cells", {}, cells), make("p.beneath", {},
    `${own.length} of ${inAll} partitions here, ${state}${behind ? `; ${count(behind, "entry", "entries")} behind` : ""}${left ? `; ${count(left, "state")} to restore` : ""}`)];
}

function notices(all) {
  if (!all.length) return [make("li.empty", {}, "None since the start.")];
  return all.map((one) => make("li", {}, moment(one.at), tag(one.level, one.level === "warning" ? "warning" : "wrong"),
    make("p.line", { title: Object.values(one.members).join(" ") }, one.text, " ", make("span.members", {}, Object.entries(one.members)
      .filter(([name]) => name !== "logger").map(([name, value]) => `${name}=${value}`).join(" ")))));
}
