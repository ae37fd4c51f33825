// What every page has: find a person by keyboard, and copy a snippet.
const find = document.getElementById("find");

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    find?.focus();
    find?.select();
  }
});

for (const button of document.querySelectorAll("button[data-copies]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent.trim());
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

// What destroys something stays off until its name is typed: a word, or what another field says.
for (const field of document.querySelectorAll("input[data-confirms], input[data-same]")) {
  const button = field.form.querySelector("button[type=submit]");
  const wanted = () => field.dataset.confirms ?? field.form.elements[field.dataset.same].value.trim();
  const look = () => { button.disabled = !field.value.trim() || field.value.trim() !== wanted(); };
  field.form.addEventListener("input", look);
  look();
}
