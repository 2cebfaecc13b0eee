// The trace page: puts the parts of the waterfall together, and its keys; the sequence diagram has its own.
import { enhance } from "./frame.js";
import { remember } from "./lib/state.js";
import { divide } from "./waterfall/columns.js";
import { Range } from "./waterfall/range.js";
import { Rows } from "./waterfall/rows.js";
import { sequence } from "./sequence.js";

const fall = document.querySelector("[data-waterfall]");
const panel = document.querySelector("[data-panel]");
const TYPED = "input, textarea, select, [contenteditable], dialog";

let asked = 0;
/** Shows a fact in the side panel; of several asked for in a row only the last. */
async function openPanel(rows, id) {
  asked += 1;
  const mine = asked;
  await new Promise((done) => { setTimeout(done, 90); });
  if (mine !== asked) return;
  const response = await rows.ask("panel", { span: id });
  if (mine !== asked || !response) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  panel.replaceChildren(...page.body.childNodes);
  panel.scrollTop = 0;
  enhance(panel);
}

/** The next row that has a bar in the visible range, as far as rows are on the page. */
function visible(rows, range, by) {
  let spot = rows.spots.get(rows.place) ?? -1;
  for (spot += by; spot >= 0 && spot < rows.seen.length; spot += by) {
    const text = rows.made.get(rows.seen[spot])?.querySelector("text[data-left]");
    if (!text || (Number(text.dataset.left) <= range.seen[1] && Number(text.dataset.right) >= range.seen[0])) return rows.seen[spot];
  }
  return -1;
}

function keysOf(rows, range) {
  const step = (by) => {
    const spot = rows.spots.get(rows.place) ?? -1;
    rows.reach(rows.seen[Math.min(Math.max(spot + by, 0), rows.seen.length - 1)]);
  };
  const go = (place) => { if (place >= 0) rows.reach(place); };
  const inTree = {
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    ArrowRight: () => { if (!rows.twist(rows.place, false) && rows.depths[rows.place + 1] > rows.depths[rows.place]) step(1); },
    ArrowLeft: () => { if (!rows.twist(rows.place, true)) go(rows.over(rows.place)); },
    Home: () => go(rows.seen[0]),
    End: () => go(rows.seen.at(-1)),
    Enter: () => location.assign(rows.made.get(rows.place).querySelector("a.open")?.href ?? location.href),
  };
  const onMap = { ArrowLeft: () => range.pan(-0.1), ArrowRight: () => range.pan(0.1), ArrowUp: () => range.closer(0.8), ArrowDown: () => range.closer(1.25) };
  const anywhere = {
    j: () => step(1), k: () => step(-1), n: () => rows.match(1), N: () => rows.match(-1),
    f: () => go(visible(rows, range, 1)), b: () => go(visible(rows, range, -1)),
    a: () => range.pan(-0.1), d: () => range.pan(0.1), A: () => range.pan(-0.5), D: () => range.pan(0.5),
    "+": () => range.closer(0.5), "-": () => range.closer(2), 0: () => range.all(),
    w: () => scrollBy(0, -240), s: () => scrollBy(0, 240),
    o: () => rows.twistLevel(1), p: () => rows.twistLevel(-1), "[": () => rows.twistAll(false), "]": () => rows.twistAll(true),
  };
  return (event) => {
    if (event.target.closest("[data-row]")) return inTree[event.key] ?? anywhere[event.key];
    if (event.target.closest("[data-minimap]")) return onMap[event.key] ?? anywhere[event.key];
    return anywhere[event.key];
  };
}

function finding(rows) {
  const input = document.getElementById("find");
  const said = document.querySelector("[data-found]");
  const steps = document.querySelectorAll("[data-match]");
  let due = 0;
  const tellCount = () => {
    const count = rows.matches?.size ?? 0;
    const spot = rows.matches?.has(rows.place) ? [...rows.matches].indexOf(rows.place) + 1 : 0;
    said.textContent = rows.matches ? (spot ? `${spot.toLocaleString("en")} of ${count.toLocaleString("en")}` : `${count.toLocaleString("en")} found`) : "";
    for (const button of steps) button.hidden = !count;
  };
  const find = async () => {
    await rows.find(input.value);
    remember({ find: input.value.trim() });
    tellCount();
  };
  input.addEventListener("input", () => { clearTimeout(due); due = setTimeout(find, 220); });
  input.form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearTimeout(due);
    await find();
    rows.match(1);
    tellCount();
    input.focus();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    if (!input.value) return input.blur();
    input.value = "";
    find();
    return undefined;
  });
  for (const button of steps) button.addEventListener("click", () => { rows.match(Number(button.dataset.match)); tellCount(); });
  return tellCount;
}

async function start() {
  divide(fall);
  let range = null;
  const rows = new Rows(fall, (row) => range?.drawn(row), (id) => openPanel(rows, id));
  range = new Range(fall, rows);
  const tellCount = finding(rows);
  rows.body.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.target.closest("a.break-label")) return;
    const place = rows.placeOf(event.target);
    if (place < 0) return;
    event.preventDefault();
    if (event.target.closest("[data-twist]") || event.target.closest(".messages")) rows.twist(place, !rows.closed.has(place));
    else rows.choose(place);
    tellCount();
  });
  const keys = keysOf(rows, range);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.key === "b") {
      event.preventDefault();
      document.getElementById("find").select();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest(`${TYPED}, .panel, .rail, .top, summary`)) return;
    const action = keys(event);
    if (!action) return;
    event.preventDefault();
    action();
    tellCount();
  }, true);
  document.addEventListener("click", async (event) => {
    const id = event.target.closest("[data-goto]")?.dataset.goto;
    if (!id || event.ctrlKey || event.metaKey) return;
    const here = rows.body.querySelector(`[data-row][data-id="${CSS.escape(id)}"]:not(.message)`);
    if (!here) return;
    event.preventDefault();
    rows.reach(Number(here.dataset.place));
  });
  let due = false;
  addEventListener("scroll", () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; rows.scroll(); });
  }, { passive: true });
  addEventListener("resize", () => rows.scroll());
  await rows.start();
  tellCount();
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "i" || event.ctrlKey || event.metaKey || event.target.closest(TYPED)) return;
  document.querySelector('[data-key="i"]')?.click();
});
if (fall) start();
sequence();
