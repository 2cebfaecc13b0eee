// One selection for the drawing and the log: choosing in one chooses in the other.
import { select } from "./frame.js";

const drawing = document.querySelector("[data-lanes]");

function choose(id, { scroll = false } = {}) {
  for (const thing of document.querySelectorAll(".thing.chosen, .arc.lit")) thing.classList.remove("chosen", "lit");
  const quoted = CSS.escape(id);
  const row = document.querySelector(`tr[data-id="${quoted}"]`);
  drawing?.querySelector(`.thing[data-id="${quoted}"]`)?.classList.add("chosen");
  for (const arc of drawing?.querySelectorAll(`[data-source="${quoted}"], [data-target="${quoted}"]`) ?? []) arc.classList.add("lit");
  if (row) {
    select(row);
    if (scroll) row.scrollIntoView({ block: "nearest" });
  }
  const url = new URL(location.href);
  url.searchParams.set("sel", id);
  history.replaceState(null, "", url);
}

drawing?.addEventListener("click", (event) => {
  const thing = event.target.closest(".thing");
  if (!thing || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  if (thing.classList.contains("chosen")) location.assign(thing.href.baseVal);
  else choose(thing.dataset.id, { scroll: true });
});
drawing?.addEventListener("keydown", (event) => {
  const thing = event.target.closest(".thing");
  if (thing && event.key === "Enter") location.assign(thing.href.baseVal);
});

for (const row of document.querySelectorAll("tr[data-id]")) {
  row.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || row.getAttribute("aria-selected") === "true" || !drawing) return;
    event.preventDefault();
    choose(row.dataset.id);
  });
  row.addEventListener("choose", () => choose(row.dataset.id));
}

document.addEventListener("click", (event) => {
  const wanted = event.target.closest("[data-goto]")?.dataset.goto;
  if (!wanted || !document.querySelector(`tr[data-id="${CSS.escape(wanted)}"]`)) return;
  event.preventDefault();
  choose(wanted, { scroll: true });
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "i" || event.ctrlKey || event.metaKey || event.target.closest("input, textarea, dialog")) return;
  document.querySelector('[data-key="i"]')?.click();
});

const chosen = new URL(location.href).searchParams.get("sel");
if (chosen) choose(chosen);
