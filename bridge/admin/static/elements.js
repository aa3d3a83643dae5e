// Makes elements, numbers and times as people read them. Input is inserted as text, never as markup.

export const $ = (id) => document.getElementById(id);

// Without the name and password that may be in the address: fetch refuses them.
export const HERE = location.origin + location.pathname.replace(/[^/]*$/, "");

const READ_TIMEOUT_MS = 35_000; // the process gives up after 30 s

export const OUTCOMES = {
  scheduled: "in_progress", pending: "in_progress", sent: "in_progress", delivered: "delivered", unknown: "unknown",
  undelivered: "not_delivered", expired: "not_delivered", rejected: "not_delivered", failed: "not_delivered",
};

export function make(name, members = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [member, value] of Object.entries(members)) {
    if (value !== null && value !== undefined) element.setAttribute(member, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export const tag = (text, kind = "", title = null) => make(`span.tag${kind ? "." + kind : ""}`, { title }, text);
export const words = (text) => String(text).replaceAll("_", " ");
export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

export function button(text, act, members = {}) {
  const made = make("button.quiet", { type: "button", ...members }, text);
  made.addEventListener("click", act);
  return made;
}

export function curve(numbers, label) {
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

export function number(value) {
  if (value === null || value === undefined) return "–";
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 });
}

export function bytes(value) {
  return value < 1024 ? count(value, "byte") : value < 1024 ** 2 ? `${number(value / 1024)} KiB` : `${number(value / 1024 ** 2)} MiB`;
}

export function lasting(seconds) {
  if (seconds < 60) return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = units.findIndex(([size]) => seconds >= size);
  const many = Math.floor(seconds / units[first][0]);
  const next = units[first + 1];
  const rest = next ? Math.floor((seconds % units[first][0]) / next[0]) : 0;
  return `${many} ${units[first][1]}${rest ? ` ${rest} ${next[1]}` : ""}`;
}

export function clock(text) {
  return new Date(text).toLocaleTimeString("en-GB", { hour12: false });
}

export function moment(text, withDate = false) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return String(text);
  const day = date.toLocaleDateString("en-CA");
  const shown = withDate || day !== new Date().toLocaleDateString("en-CA") ? `${day} ${clock(text)}` : clock(text);
  return make("time", { datetime: date.toISOString(), title: date.toISOString() }, shown);
}

// A sentence of the bridge's, with its times in the reader's zone.
export function withTimes(text) {
  return text.split(/(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ)/).map((part, index) => (index % 2 ? moment(part.replace(" ", "T")) : part));
}

// A recipient's number; a hash only by its beginning.
export function recipient(text) {
  return /^[0-9a-f]{64}$/.test(text) ? make("span", { title: `hash ${text}` }, `#${text.slice(0, 8)}…`) : text;
}

// With it, the process drops what this page doesn't wait for any more.
const VIEWER = Math.random().toString(36).slice(2);

export const read = (route, query, part, signal) =>
  fetchJson(`api/${route}?${new URLSearchParams([...new URLSearchParams(query), ["viewer", `${VIEWER}-${part}`]])}`, READ_TIMEOUT_MS, signal);

export async function fetchJson(path, timeout, signal = null) {
  const controller = new AbortController();
  const stop = () => controller.abort();
  if (signal) signal.addEventListener("abort", stop);
  const timer = setTimeout(stop, timeout);
  try {
    const response = await fetch(`${HERE}${path}`, { cache: "no-store", signal: controller.signal });
    const body = await response.json().catch(() => ({}));
    if (!response.ok) throw Object.assign(new Error(body.error || `the process answers with status ${response.status}`), { status: response.status });
    return body;
  } catch (error) {
    if (signal && signal.aborted) throw error;
    if (controller.signal.aborted) throw new Error(`no answer within ${lasting(timeout / 1000)}: the process hangs, or the connection to it`);
    throw error instanceof TypeError ? new Error("no answer: the process is down, or the connection to it") : error;
  } finally {
    clearTimeout(timer);
  }
}

export function copyButton(text, label, title = null) {
  const made = button(label, async () => {
    const done = await copy(text).catch(() => false);
    made.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { made.textContent = label; }, 2500);
  }, { title });
  made.classList.add("copy");
  return made;
}

async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  const field = make("textarea", { readonly: "", "aria-hidden": "true" }); // without TLS there is no clipboard
  field.className = "hidden";
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

// Where the focus goes when what had it is gone: never to the beginning of the page.
export function keepFocus(element) {
  if (element && (document.activeElement === document.body || !document.activeElement)) element.focus({ preventScroll: true });
}
