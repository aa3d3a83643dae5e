// The status page. Nothing here changes anything; input is inserted as text, never as markup.

import * as letters from "./dead_letters.js";
import { $ } from "./elements.js";
import { filter, listen, pause, rest } from "./events.js";
import { press, remembered, theme, toggle } from "./keys.js";
import { follow, submit } from "./search.js";
import { look } from "./status.js";

const STATUS_INTERVAL_MS = 3000;

theme(remembered());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme(remembered()));
$("theme").addEventListener("click", toggle);
$("pause").addEventListener("click", pause);
for (const id of ["events-text", "events-provider", "events-outcome"]) $(id).addEventListener("input", filter);
$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
$("events").addEventListener("mouseleave", rest);
$("events").addEventListener("focusout", (event) => { if (!$("events").contains(event.relatedTarget)) rest(); });
document.addEventListener("keydown", press);
$("letters-show").addEventListener("click", letters.choose);
addEventListener("popstate", route); // also when the fragment is edited
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
$("zone").textContent = `Times are ${zone}${zone === "UTC" ? "" : "; hover one for UTC"}. The page shows one process; searches cover all.`;

function route() {
  if (location.hash.startsWith(letters.PATH)) letters.follow();
  else follow();
}

look();
setInterval(() => { if (!document.hidden) look(); }, STATUS_INTERVAL_MS);
listen();
route();
