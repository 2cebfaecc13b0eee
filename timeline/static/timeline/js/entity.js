// One selection for the drawing and the log: choosing in one chooses in the other.
import { select } from "./frame.js";
import { keepApart } from "./lib/labels.js";

const drawing = document.querySelector("[data-lanes]");
for (const lanes of document.querySelectorAll(".lane-draw")) keepApart(lanes, [".event-label", ".tick", ".over"]);

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

// The story step by step: what has not happened yet is faded.
const player = document.querySelector("[data-play]");
const rows = [...document.querySelectorAll("tr[data-id]")];
const PACE = 900; // ms a step
let step = -1;
let timer = 0;

function show(to) {
  step = Math.max(0, Math.min(rows.length - 1, to));
  const reached = new Set(rows.slice(0, step + 1).map((row) => row.dataset.id));
  document.body.classList.add("playing");
  for (const thing of document.querySelectorAll(".thing[data-id], tr[data-id]")) thing.classList.toggle("later", !reached.has(thing.dataset.id));
  for (const arc of document.querySelectorAll(".arc")) arc.classList.toggle("later", !reached.has(arc.dataset.target));
  choose(rows[step].dataset.id, { scroll: true });
  player.querySelector("[data-played]").textContent = `${step + 1} of ${rows.length}`;
  if (step === rows.length - 1) pause();
}

function pause() {
  clearInterval(timer);
  timer = 0;
  player.querySelector("[data-step='0']").setAttribute("aria-pressed", "false");
}

function play() {
  if (timer) return pause();
  if (step >= rows.length - 1) step = -1;
  player.querySelector("[data-step='0']").setAttribute("aria-pressed", "true");
  timer = setInterval(() => show(step + 1), PACE);
  show(step + 1);
}

function stop() {
  pause();
  step = -1;
  document.body.classList.remove("playing");
  player.querySelector("[data-played]").textContent = "";
}

player?.addEventListener("click", (event) => {
  const by = event.target.closest("[data-step]")?.dataset.step;
  if (by === undefined || !rows.length) return;
  if (by === "0") return play();
  pause();
  show(step < 0 ? Math.max(0, rows.findIndex((row) => row.ariaSelected === "true")) : step + Number(by));
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
  if (event.key === "p" && player && rows.length) play();
  else if (event.key === "Escape" && document.body.classList.contains("playing")) stop();
});

const chosen = new URL(location.href).searchParams.get("sel");
if (chosen) choose(chosen);
