// The builder without leaving the page: buttons redraw the rule, typing redraws the count.
const form = document.getElementById("builder");
const draft = document.getElementById("draft");
const WAIT_MS = 350;
let asked = 0;
let timer = 0;

async function send(address, act) {
  const body = new URLSearchParams(new FormData(form));
  if (act !== undefined) body.set("act", act);
  const mine = ++asked;
  const answer = await fetch(address, { method: "POST", body, headers: { "X-Part": "1" } });
  const text = await answer.text();
  // A later question was asked meanwhile: its answer counts.
  return mine === asked && answer.ok ? text : null;
}

async function redraw(act) {
  const focused = document.activeElement?.name;
  const before = new Set([...draft.querySelectorAll("[name]")].map((each) => each.name));
  draft.classList.add("waiting");
  const text = await send("/segments/edit", act);
  draft.classList.remove("waiting");
  if (text === null) return;
  draft.innerHTML = text;
  const fields = [...draft.querySelectorAll("input:not([type=hidden]), select, textarea")];
  const fresh = act && fields.find((each) => !before.has(each.name) && each.tagName === "INPUT");
  (fresh || fields.find((each) => each.name === focused))?.focus();
}

async function recount() {
  const text = await send("/segments/preview");
  if (text !== null) document.getElementById("preview").innerHTML = text;
}

if (draft) {
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[name=act]");
    if (!button) return;
    event.preventDefault();
    redraw(button.value);
  });
  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-redraws], [name$=_unit]")) redraw("");
  });
  draft.addEventListener("input", (event) => {
    if (event.target.matches("[data-redraws]")) return;
    clearTimeout(timer);
    timer = setTimeout(recount, WAIT_MS);
  });
}
