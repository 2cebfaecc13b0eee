// The rows of a search: a preview beside them, new rows while following, values found within a facet.
import { enhance, onKey, say, select } from "./frame.js";

const BUFFER = 1000;  // new rows kept while paused; older ones are counted and found by the search
const SHOWN = 1000;  // rows on the page while following
const EVERY = 2000;  // ms between two looks

async function part(address) {
  const response = await fetch(address, { headers: { accept: "text/html" } });
  if (!response.ok || new URL(response.url).pathname.startsWith("/signin")) throw new Error(String(response.status));
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/* the preview */
const panel = () => document.querySelector("[data-preview-panel]");

function address(fact) {
  const url = new URL(location.href);
  if (fact) url.searchParams.set("fact", fact);
  else url.searchParams.delete("fact");
  history.replaceState(null, "", url);
}

async function preview(row) {
  const id = row.dataset.id;
  const aside = panel();
  select(row);
  address(id);
  try {
    const page = await part(`/facts/${encodeURIComponent(id)}?part=panel`);
    if (new URL(location.href).searchParams.get("fact") !== id) return;  // another was chosen meanwhile
    const body = aside.querySelector("[data-preview-body]");
    body.replaceChildren(...page.body.children);
    enhance(body);
    aside.hidden = false;
    aside.scrollTop = 0;
    document.querySelector("[data-result]").classList.add("with-preview");
    row.scrollIntoView({ block: "nearest" });
  } catch {
    say("The preview could not be opened");
  }
}

function closePreview() {
  const aside = panel();
  if (!aside || aside.hidden) return false;
  aside.hidden = true;
  document.querySelector("[data-result]").classList.remove("with-preview");
  address("");
  (document.querySelector("[data-row][aria-selected] .open") ?? document.body).focus({ preventScroll: true });
  return true;
}

const chosenRow = () => document.querySelector("[data-row][aria-selected=true]");

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const opener = event.target.closest("[data-preview]");
  if (opener && panel()) {
    event.preventDefault();
    preview(opener.closest("[data-row]"));
  } else if (event.target.closest("[data-preview-close]")) {
    event.preventDefault();
    closePreview();
  }
});
// before the frame's own Escape, which would only take the focus away
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.target.closest("input, textarea, details[open]")) return;
  if (closePreview()) event.stopImmediatePropagation();
}, true);
document.addEventListener("choose", (event) => {
  if (panel() && !panel().hidden && event.target.dataset.id) preview(event.target);
});
onKey("p", () => {
  const row = chosenRow() ?? document.querySelector("[data-row]");
  if (row && panel() && !(panel().hidden === false && new URL(location.href).searchParams.get("fact") === row.dataset.id)) preview(row);
  else closePreview();
});

/* following */
class Tail {
  constructor(said) {
    this.said = said;
    this.text = said.querySelector("[data-tail-said]");
    this.button = said.querySelector("[data-tail-pause]");
    this.bar = document.querySelector("[data-tail-new]");
    this.body = document.querySelector("[data-rows] tbody");
    this.after = said.dataset.after;
    this.waiting = [];
    this.left = 0;  // too many for an answer or the buffer, since the rows were last put on the page
    this.passed = 0;  // the same before that
    this.paused = false;
    this.button.addEventListener("click", () => this.pause(!this.paused));
    this.bar.querySelector("[data-tail-show]").addEventListener("click", () => this.show());
    this.again();
  }

  again() {
    setTimeout(() => this.look(), EVERY);
  }

  async look() {
    if (!document.hidden) {
      try {
        await this.take();
        this.tell();
      } catch {
        this.text.textContent = "Away for a moment; nothing is lost";
      }
    }
    this.again();
  }

  async take() {
    const url = new URL(this.said.dataset.source, location.href);
    url.searchParams.set("after", this.after);
    const table = (await part(url)).querySelector("table");
    const rows = [...table.querySelectorAll("[data-row]")].filter((row) => !document.querySelector(`[data-row][data-id="${CSS.escape(row.dataset.id)}"]`));
    this.after = table.dataset.upTo;  // only now: an answer that was lost on its way is asked again
    this.behind = Number((BigInt(table.dataset.now) - BigInt(table.dataset.upTo)) / 1000000000n);
    this.left += Number(table.dataset.skipped);
    this.waiting.unshift(...rows);
    if (this.waiting.length > BUFFER) this.left += this.waiting.splice(BUFFER).length;
    if (!this.paused && scrollY < 40 && !chosenRow()) this.show();
  }

  show() {
    const place = this.body.firstElementChild;
    for (const row of this.waiting) this.body.insertBefore(row, place);
    for (const row of this.waiting) enhance(row);
    const all = this.body.querySelectorAll("[data-row]");
    for (const row of [...all].slice(SHOWN)) row.remove();
    this.waiting = [];
    this.passed += this.left;
    this.left = 0;
    this.tell();
  }

  pause(on) {
    this.paused = on;
    this.button.setAttribute("aria-pressed", String(on));
    this.button.textContent = on ? "Go on" : "Pause";
    if (!on) this.show();
    this.tell();
  }

  tell() {
    const count = this.waiting.length;
    this.bar.hidden = !count && !this.left;
    const more = this.left ? `, and ${this.left.toLocaleString("en")} older ones that the search has` : "";
    this.bar.querySelector("button").textContent = `${count.toLocaleString("en")} new${more}`;
    const late = this.behind > 10 ? `, searchable up to ${this.behind} s ago` : "";
    const passed = this.passed ? `; ${this.passed.toLocaleString("en")} came too fast to show, the search has them` : "";
    this.text.textContent = (this.paused ? "Paused" : "Following") + late + passed;
  }
}

function start() {
  const said = document.querySelector("[data-tail]");
  if (said && !said.dataset.on) {
    said.dataset.on = "1";
    new Tail(said);
  }
  const find = document.querySelector("[data-facet-find]");
  find?.addEventListener("input", () => {
    const sought = find.value.toLowerCase();
    for (const value of find.closest(".facet").querySelectorAll("[data-value]")) value.hidden = !value.textContent.toLowerCase().includes(sought);
  });
  if (!location.hash) chosenRow()?.scrollIntoView({ block: "center" });
}

onKey("t", () => document.querySelector("[data-tail-toggle]")?.click());
start();
document.addEventListener("replaced", start);
