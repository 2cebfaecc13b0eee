// The waterfall: selection and its panel, collapsing, find, and drawing only what is in view of a long trace.
import { enhance } from "./frame.js";
import { next, open, range } from "./lib/tree.js";

const NS = "http://www.w3.org/2000/svg";
const HEIGHT = 24;
const fall = document.querySelector("[data-waterfall]");
const panel = document.querySelector("[data-panel]");
const OWN = 1, BELOW = 2, EVENT = 4, MATCH = 8, LEFT = 16;

function svg(name, attributes, ...inside) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...inside);
  return node;
}

function html(name, attributes, ...inside) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...inside);
  return node;
}

const percent = (place) => `${place / 10}%`;

function icon(name, extra = "") {
  const sprite = document.querySelector("svg.icon use").getAttribute("href").split("#")[0];
  return svg("svg", { class: `icon ${extra}`, "aria-hidden": "true" }, svg("use", { href: `${sprite}#${name}` }));
}

/** A row of a long trace, as the server draws the first ones. */
function drawn([id, depth, lane, what, x, width, label, flags, children, waits], lanes) {
  const indent = Math.min(depth, 24) * 11;
  const guides = svg("svg", { class: "guides", width: indent, height: HEIGHT, "aria-hidden": "true" });
  for (let level = 0; level < Math.min(depth, 24); level += 1) guides.append(svg("line", { class: "grid", x1: level * 11 + 6.5, x2: level * 11 + 6.5, y1: 0, y2: HEIGHT }));
  const tree = html("div", { class: "tree" }, guides);
  tree.append(children ? html("button", { type: "button", class: "twist", "data-twist": "", tabindex: "-1", "aria-label": "Collapse or open what is below" }, icon("chevron-down", "small")) : html("span", { class: "twist" }));
  tree.append(html("i", { class: flags & EVENT ? "edge round" : "edge" }), html("a", { class: "open", tabindex: "-1", href: `/facts/${encodeURIComponent(id)}` }, html("span", { class: "quiet" }, lanes[lane][0]), " ", html("b", {}, what)));
  if (flags & (OWN | BELOW)) tree.append(html("span", { class: flags & OWN ? "fault red-text" : "fault hollow", title: flags & OWN ? "Failed" : "Something below failed" }, icon("circle-x")));
  const bar = svg("svg", { class: "draw bar-row", height: HEIGHT, "aria-hidden": "true" });
  for (const [from, length, slow, endless] of waits) bar.append(svg("rect", { class: endless ? "open-wait" : slow ? "wait long" : "wait", x: percent(from), width: percent(length), y: 5.5, height: 13, rx: 2 }));
  if (x === null) bar.append(svg("text", { x: 0, dx: 6, y: 16 }, "no time given"));
  else {
    if (flags & EVENT) bar.append(svg("circle", { class: "work mark-dot", cx: percent(x), cy: 12, r: 4.5 }));
    else bar.append(svg("rect", { class: "work", x: percent(x), width: percent(width), y: 5, height: 14, rx: 2 }), svg("rect", { class: "work", x: percent(x), width: 3, y: 5, height: 14, rx: 1 }));
    if (flags & OWN) bar.append(svg("svg", { x: percent(x + width), overflow: "visible" }, svg("path", { class: "notch", d: "M-10 4.5h10.5v10.5z" })));
    const left = Boolean(flags & LEFT);
    bar.append(svg("text", { x: percent(left ? x : x + width), y: 16, dx: left ? -6 : 6, "text-anchor": left ? "end" : "start" }, label));
  }
  const row = html("tr", { class: `s${lanes[lane][1]}${flags & MATCH ? " match" : ""}`, role: "row", "data-row": "", "data-id": id, "data-depth": depth, "data-children": children, "aria-level": depth + 1, tabindex: "-1" },
    html("td", { role: "gridcell" }, tree), html("td", { role: "gridcell", class: "bars" }, html("span", { class: "hidden" }, label), bar));
  if (children) row.setAttribute("aria-expanded", "true");
  return row;
}

/** All rows, of which a long trace draws only those in view. */
class Rows {
  constructor(body) {
    this.body = body;
    this.closed = new Set();
    this.made = [...body.querySelectorAll("[data-row]")];
    this.depths = this.made.map((row) => Number(row.dataset.depth));
    this.ids = this.made.map((row) => row.dataset.id);
    this.children = this.made.map((row) => Number(row.dataset.children));
    this.matches = this.made.map((row) => row.classList.contains("match"));
    this.all = [...body.children];
    this.packed = null;
    this.chosen = this.made.find((row) => row.getAttribute("aria-selected") === "true")?.dataset.id ?? "";
  }

  take(answer) {
    this.packed = answer;
    this.above = html("tr", { class: "spacer", role: "presentation" }, html("td", { colspan: "2" }));
    this.below = this.above.cloneNode(true);
    this.made = [];
    this.depths = answer.rows.map((row) => row[1]);
    this.ids = answer.rows.map((row) => row[0]);
    this.children = answer.rows.map((row) => row[8]);
    this.matches = answer.rows.map((row) => Boolean(row[7] & MATCH));
    this.show();
  }

  element(place) {
    this.made[place] ??= drawn(this.packed.rows[place], this.packed.lanes);
    const row = this.made[place];
    if (this.children[place]) row.setAttribute("aria-expanded", String(!this.closed.has(place)));
    if (this.ids[place] === this.chosen) row.setAttribute("aria-selected", "true");
    else row.removeAttribute("aria-selected");
    return row;
  }

  show() {
    this.seen = open(this.depths, this.closed);
    if (this.packed) return this.scroll();
    const shown = new Set(this.seen.map((place) => this.element(place)));
    for (const row of this.all) row.classList.toggle("hidden-row", Boolean(row.dataset.row !== undefined && !shown.has(row)));
    return undefined;
  }

  scroll() {
    if (!this.packed) return;
    const top = -this.body.getBoundingClientRect().top;
    const [from, to] = range(this.seen.length, HEIGHT, Math.max(0, top), innerHeight, 2);
    if (from >= this.first && to <= this.last && !this.changed) return;
    const [first, last] = range(this.seen.length, HEIGHT, Math.max(0, top), innerHeight, 40);
    [this.first, this.last, this.changed] = [first, last, false];
    const focus = document.activeElement?.dataset?.id;
    this.above.firstChild.style.height = `${first * HEIGHT}px`;
    this.below.firstChild.style.height = `${(this.seen.length - last) * HEIGHT}px`;
    this.body.replaceChildren(this.above, ...this.seen.slice(first, last).map((place) => this.element(place)), this.below);
    if (focus) this.body.querySelector(`[data-id="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
  }

  refresh() {
    this.changed = true;
    this.show();
  }

  twist(place, close) {
    if (!this.children[place]) return;
    if (close) this.closed.add(place);
    else this.closed.delete(place);
    this.refresh();
  }

  twistAll(close) {
    this.closed = new Set(close ? this.children.flatMap((count, place) => (count ? [place] : [])) : []);
    this.refresh();
  }

  /** Opens what hides the row, brings it into view and chooses it. */
  reach(place) {
    for (let i = place, level = this.depths[place]; i >= 0; i -= 1) {
      if (this.depths[i] < level) {
        this.closed.delete(i);
        level = this.depths[i];
      }
    }
    this.choose(place);
    if (this.packed) {
      const top = this.body.getBoundingClientRect().top + scrollY + this.seen.indexOf(place) * HEIGHT;
      if (top < scrollY + 140 || top > scrollY + innerHeight - 60) scrollTo(0, top - innerHeight / 2);
      this.scroll();
    }
    const row = this.element(place);
    row.scrollIntoView({ block: "nearest" });
    row.focus({ preventScroll: true });
  }

  choose(place) {
    this.chosen = this.ids[place];
    this.refresh();
    for (const row of this.body.querySelectorAll("[data-row]")) row.tabIndex = row.dataset.id === this.chosen ? 0 : -1;
    openPanel(this.chosen);
  }
}

let asked = 0;
async function openPanel(id) {
  const url = new URL(location.href);
  url.searchParams.set("span", id);
  history.replaceState(null, "", url);
  asked += 1;
  const mine = asked;
  await new Promise((done) => { setTimeout(done, 90); });
  if (mine !== asked) return;
  const response = await fetch(`/facts/${encodeURIComponent(id)}?part=panel`).catch(() => null);
  if (mine !== asked || !response?.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  panel.replaceChildren(...page.body.childNodes);
  panel.scrollTop = 0;
  enhance(panel);
}

function keysOf(rows) {
  const at = () => rows.ids.indexOf(rows.chosen);
  const step = (by) => {
    const place = rows.seen.indexOf(at());
    rows.reach(rows.seen[Math.min(Math.max(place + by, 0), rows.seen.length - 1)]);
  };
  const match = (by) => {
    const place = next(rows.ids.length, at(), by, (i) => rows.matches[i]);
    if (place >= 0) rows.reach(place);
  };
  return {
    j: () => step(1), k: () => step(-1), ArrowDown: () => step(1), ArrowUp: () => step(-1),
    ArrowLeft: () => rows.twist(at(), true), ArrowRight: () => rows.twist(at(), false),
    n: () => match(1), N: () => match(-1),
    "[": () => rows.twistAll(false), "]": () => rows.twistAll(true),
    Enter: () => location.assign(`/facts/${encodeURIComponent(rows.chosen)}`),
  };
}

function divide() {
  const handle = html("div", { class: "divider", role: "separator", "aria-orientation": "vertical", "aria-label": "Width of the tree", tabindex: "0", "aria-valuemin": "15", "aria-valuemax": "85", "aria-valuenow": "33" });
  fall.querySelector(".fall-body").append(handle);
  const set = (width) => {
    const whole = fall.clientWidth;
    const wide = Math.min(whole * 0.85, Math.max(whole * 0.15, width));
    fall.style.setProperty("--tree", `${Math.round(wide)}px`);
    handle.setAttribute("aria-valuenow", String(Math.round((100 * wide) / whole)));
  };
  handle.addEventListener("pointerdown", (event) => { handle.setPointerCapture(event.pointerId); event.preventDefault(); });
  handle.addEventListener("pointermove", (event) => { if (handle.hasPointerCapture(event.pointerId)) set(event.clientX - fall.getBoundingClientRect().left); });
  handle.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    event.stopPropagation();
    set(handle.offsetLeft + 3 + (event.key === "ArrowLeft" ? -24 : 24));
  });
}

async function start() {
  const rows = new Rows(fall.querySelector("tbody"));
  rows.show();
  divide();
  const place = (event) => rows.ids.indexOf(event.target.closest("[data-row]")?.dataset.id);
  rows.body.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const spot = place(event);
    if (spot < 0) return;
    event.preventDefault();
    if (event.target.closest("[data-twist]")) rows.twist(spot, !rows.closed.has(spot));
    else rows.choose(spot);
  });
  const keys = keysOf(rows);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog, .panel, .rail, .top, summary")) return;
    if ((event.key === "Enter" || event.key.startsWith("Arrow")) && !event.target.closest("[data-row], body:focus")) return;
    const action = keys[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }, true);
  document.addEventListener("click", (event) => {
    const wanted = rows.ids.indexOf(event.target.closest("[data-goto]")?.dataset.goto);
    if (wanted < 0) return;
    event.preventDefault();
    rows.reach(wanted);
  });
  if (!fall.dataset.rowsHref) return;
  const response = await fetch(fall.dataset.rowsHref).catch(() => null);
  if (!response?.ok) return;
  rows.take(await response.json());
  let due = false;
  addEventListener("scroll", () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; rows.scroll(); });
  }, { passive: true });
  addEventListener("resize", () => rows.scroll());
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "i" || event.ctrlKey || event.metaKey || event.target.closest("input, textarea, dialog")) return;
  document.querySelector('[data-key="i"]')?.click();
});
if (fall) start();
