// Light and dark, and the keyboard.

import * as letters from "./dead_letters.js";
import { $ } from "./elements.js";
import { pause } from "./events.js";
import { close } from "./search.js";

export function theme(chosen) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = chosen || (dark ? "dark" : "light");
}

export function toggle() {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try { localStorage.setItem("theme", next); } catch { /* the choice isn't remembered */ }
  theme(next);
}

export function remembered() {
  try { return localStorage.getItem("theme"); } catch { return null; }
}

// Every list is one stop for Tab; arrows move in it.
const LISTS = ".rows, .steps";
const STOPS = "li:not([hidden]) > button, li[tabindex]:not([hidden])";

function move(event) {
  const list = event.target.closest(LISTS);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!list || !step || event.target.closest("pre, summary")) return false;
  const stops = [...list.querySelectorAll(STOPS)];
  const now = stops.findIndex((stop) => stop.contains(event.target));
  const next = stops[Math.min(stops.length - 1, Math.max(0, now + step))];
  if (next) next.focus();
  return true;
}

export function press(event) {
  const writing = event.target.matches("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const first = $("story").querySelector(STOPS);
  if (event.key === "Escape") {
    if (event.target === $("text") && !$("text").value) $("text").blur();
    if (location.hash.startsWith(letters.PATH)) letters.close();
    else close();
  } else if (!writing && event.key === "/") {
    event.preventDefault();
    $("text").focus();
    $("text").select();
  } else if (!writing && event.key === "t") toggle();
  else if (!writing && event.key === "p") pause();
  else if (event.target === $("text") && event.key === "ArrowDown" && first) {
    event.preventDefault();
    first.focus();
  } else if (!writing && move(event)) event.preventDefault();
}
