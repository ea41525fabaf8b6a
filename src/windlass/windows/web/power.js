// Renews the page's changing part when the state changes, and counts down between two events. Forms that are being filled in are left alone.
"use strict";
const main = document.getElementById("main");
const busy = () => main.contains(document.activeElement) || main.querySelector("input:checked") !== null;
let stale = false, read = performance.now();

async function renew() {
  if (busy()) { stale = true; return; }
  const answer = await fetch("/page/main", { credentials: "same-origin" });
  if (answer.status === 403) { location.reload(); return; }
  if (answer.ok) { main.innerHTML = await answer.text(); stale = false; read = performance.now(); }
}

function count() {
  for (const one of main.querySelectorAll(".countdown")) {
    const since = (performance.now() - Number(one.dataset.read ?? read)) / 1000; // by the service's clock: this one may be wrong
    const left = Math.max(0, Math.floor(Number(one.dataset.left) - since));
    one.textContent = left >= 60 ? `${Math.floor(left / 60)} min ${left % 60} s` : `${left} s`;
  }
  if (stale) { renew(); }
}

const events = new EventSource("/madre/power/events");
events.addEventListener("state", (event) => {
  const state = JSON.parse(event.data).state;
  document.title = document.title.replace(/: .*$/, `: ${state}`);
  renew();
});
events.addEventListener("countdown", (event) => {
  const told = JSON.parse(event.data);
  for (const one of main.querySelectorAll(".countdown")) {
    if (one.dataset.window !== told.window_id) { continue; }
    one.dataset.left = told.ttl_remaining_sec;
    one.dataset.read = performance.now();
  }
});
setInterval(count, 1000);
count();
