// Follows the newest events: asks for what came after the last one and puts it on top.
const EVERY_MS = 1000;
const KEPT_ROWS = 300;
const table = document.getElementById("tail");
const rows = table.tBodies[0];
const pause = document.getElementById("pause");
const status = document.getElementById("following");
let next = table.dataset.next;
let came = 0;
let paused = false;
let said = "";

function say(words) {
  if (words !== said) status.textContent = said = words;
}

async function follow() {
  if (!paused && !document.hidden) {
    try {
      const answer = await fetch(`/live/rows?after=${next}&${table.dataset.filter}`);
      if (!answer.ok) throw new Error(answer.status);
      const fresh = document.createElement("tbody");
      fresh.innerHTML = await answer.text();
      if (!paused) {
        next = answer.headers.get("X-Next");
        came += fresh.rows.length;
        for (const row of fresh.rows) row.classList.add("new");
        if (fresh.rows.length) document.getElementById("waiting")?.remove();
        rows.prepend(...fresh.rows);
        while (rows.rows.length > KEPT_ROWS) rows.deleteRow(-1);
        say(came ? `Following: ${came} new` : "Following");
      }
    } catch {
      say("The server does not answer; trying again.");
    }
  }
  setTimeout(follow, EVERY_MS);
}

pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
  say(paused ? "Paused: nothing is lost, go on to see it" : "Following");
});
say("Following");
follow();
