// The large box grows with what is pasted; Enter asks.
function grow(box) {
  box.addEventListener("input", () => { box.rows = Math.min(8, box.value.split("\n").length); });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    box.form.requestSubmit();
  });
}
const start = () => document.querySelectorAll("[data-ask]").forEach(grow);
start();
document.addEventListener("replaced", start);
