// Renews the page's changing part when the state changes, and counts down between two events. Forms that are being filled in are left alone.
"use strict";
const main = document.getElementById("main");
const busy = () => main.contains(document.activeElement) || main.querySelector("input:checked") !== null;
let stale = false;

async function renew() {
  if (busy()) { stale = true; return; }
  const answer = await fetch("/page/main", { credentials: "same-origin" });
  if (answer.status === 403) { location.reload(); return; }
  if (answer.ok) { main.innerHTML = await answer.text(); stale = false; }
}

function count() {
  for (const one of main.querySelectorAll(".countdown")) {
    const left = Math.max(0, Math.floor((Date.parse(one.dataset.deadline) - Date.now()) / 1000));
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
setInterval(count, 1000);
count();
