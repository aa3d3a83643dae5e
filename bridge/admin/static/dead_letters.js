// Dead letters: how many there are of each reason, the newest ones, and one with its bytes and how to replay it.

import { $, HERE, button, bytes, copyButton, count, keepFocus, lasting, make, moment, number, read, tag, words } from "./elements.js";

export const PATH = "#/dead-letters";

const PART = "letters"; // of the page
const DEFAULT_SINCE = "7d";

let running = null;
let opened = ""; // where the focus returns to
let shown = { query: null, found: null }; // the list on the page

const ask = () => new URLSearchParams(location.hash.slice(PATH.length + 1));
const address = (changes) => {
  const query = ask();
  for (const [name, value] of Object.entries(changes)) value ? query.set(name, value) : query.delete(name);
  return `${PATH}${String(query) ? `?${query}` : ""}`;
};

function go(changes) {
  const hash = address(changes);
  if (location.hash !== hash) history.pushState(null, "", hash);
  return follow();
}

export const choose = () => go({ since: $("letters-since").value, at: "" });
export const close = () => (ask().has("at") ? go({ at: "" }) : leave());

function leave() {
  history.pushState(null, "", location.pathname + location.search);
  shown = { query: null, found: null };
  $("letters").replaceChildren();
  say("");
}

// Show what the address's fragment names.
export async function follow() {
  if (!location.hash.startsWith(PATH)) return;
  if (running) running.abort();
  const mine = running = new AbortController();
  const query = ask();
  const at = query.get("at");
  query.delete("at");
  if (!query.has("since")) query.set("since", DEFAULT_SINCE);
  $("letters-since").value = query.get("since");
  try {
    if (shown.query !== String(query)) await load(query, mine.signal);
    await (at ? open(at, mine.signal) : show());
    $("dead-letters").scrollIntoView({ block: "start" });
  } catch (error) {
    if (running === mine) say(error.message, "wrong");
  }
}

async function load(query, signal) {
  say("Reading the dead letters…");
  $("letters").replaceChildren();
  shown = { query: null, found: null };
  const found = await read("dead-letters", query, PART, signal);
  shown = { query: String(query), found };
}

function show() {
  const { found } = shown;
  const reason = ask().get("reason");
  const all = found.reasons.reduce((sum, one) => sum + one.count, 0);
  say(all ? `${count(all, "dead letter")} since ${found.since.slice(0, 10)}; ${count(found.records_read, "record")} read in ${lasting(found.seconds)}.`
    : `No dead letters since ${found.since.slice(0, 10)}: all input could be used.`);
  if (!all) return $("letters").replaceChildren();
  const chips = found.reasons.map((one) => {
    const chip = button("", () => go({ reason: one.reason === reason ? "" : one.reason, at: "" }),
      { "aria-pressed": String(one.reason === reason), title: one.meaning });
    chip.append(words(one.reason), " ", make("b.number", {}, number(one.count)));
    return chip;
  });
  const chosen = found.reasons.find((one) => one.reason === reason);
  const list = make("ol.rows.letters", { "aria-label": "Dead letters, the latest one first" },
    make("li.heads", { "aria-hidden": "true" }, ["received", "reason", "what is wrong", "from", "size"].map((head) => make("span", {}, head))),
    found.letters.map(rowOf));
  $("letters").replaceChildren(make("div.chips", { role: "group", "aria-label": "Reasons" }, chips),
    ...(chosen ? [explain(chosen, `Replays all ${count(chosen.count, "dead letter")} of this reason`)] : []), list,
    ...(found.left_out ? [make("p.beneath", {}, `and ${count(found.left_out, "older one")}; choose a reason or a shorter time`)] : []));
  return keepFocus([...$("letters").querySelectorAll(".row")].find((row) => row.dataset.at === opened) || $("letters").querySelector("button"));
}

function rowOf(letter, index) {
  const made = make("button.row", { type: "button", tabindex: index ? "-1" : "0", title: "Show this dead letter" },
    make("span.at.dim.number", {}, moment(letter.received_at)),
    tag(words(letter.reason), "wrong"),
    make("span.said", { title: letter.error }, letter.error),
    make("span.where.dim", {}, origin(letter)),
    make("span.size.dim.number", {}, bytes(letter.size)));
  made.dataset.at = letter.at;
  made.addEventListener("click", () => {
    opened = letter.at;
    go({ at: letter.at });
  });
  return make("li", {}, made);
}

function origin(letter) {
  const account = letter.account && letter.account !== "default" ? ` / ${letter.account}` : "";
  return [letter.from, letter.provider ? `${letter.provider}${account}` : null].filter(Boolean).join(" · ");
}

async function open(at, signal) {
  say("Reading the dead letter…");
  const letter = await read("dead-letters", { at }, PART, signal);
  say(button("← Back to the list", () => go({ at: "" })));
  const { value } = letter;
  const part = value.shown < value.size ? `, of which the first ${bytes(value.shown)} are shown` : "";
  const original = letter.headers.original_bytes ? ` The original had ${bytes(Number(letter.headers.original_bytes))}; only its beginning was kept.` : "";
  const headers = Object.entries(letter.headers).filter(([name]) => !["reason", "error"].includes(name)).map(([name, text]) => [make("dt", {}, words(name)), make("dd", {}, name === "received_at" ? moment(text, true) : text)]);
  const key = letter.key ? [make("dt", {}, "key"), make("dd.mono", {}, letter.key.text ?? letter.key.hex)] : [];
  const article = make("article.letter", { "aria-label": `dead letter ${at}` },
    make("div.title", {}, tag(words(letter.reason), "wrong"), copyButton(`${HERE}${location.hash}`, "Copy link")),
    make("h3", {}, letter.error || words(letter.reason)),
    explain(letter, "Replays this dead letter alone"),
    make("dl.members", {}, headers, key, make("dt", {}, "position"), make("dd", {}, at)),
    make("h4", {}, `The original${value.text === null ? " in hexadecimal" : ""}: ${bytes(value.size)}${part}.${original}`),
    make(value.text === null ? "pre.dump" : "pre", { tabindex: "0", "aria-label": "the original" }, (value.text ?? value.hex) || "(empty)"));
  $("letters").replaceChildren(article);
  keepFocus(article.querySelector(".command button") || article.querySelector("pre"));
}

function explain(one, does) {
  const command = one.replay
    ? [make("div.command", {}, make("code", {}, one.replay), copyButton(one.replay, "Copy")), make("p.beneath", {}, `${does}; with --dry-run it only tells what would happen.`)]
    : [make("p.beneath", {}, `It can't be replayed: ${one.why_not}.`)];
  return make("div.explained", {}, make("p", {}, one.meaning), command);
}

function say(parts, kind = "") {
  $("letters-found").replaceChildren(...[parts].flat().filter(Boolean));
  $("letters-found").className = kind;
}
