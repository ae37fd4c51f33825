// One box that chooses all others of its form.
for (const every of document.querySelectorAll("input[data-chooses]")) {
  const boxes = () => every.form.querySelectorAll(`input[name="${every.dataset.chooses}"]:not(:disabled)`);
  every.hidden = false;
  every.addEventListener("change", () => { for (const box of boxes()) box.checked = every.checked; });
}
