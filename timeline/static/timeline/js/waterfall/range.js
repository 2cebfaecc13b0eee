// The visible range of a waterfall: the minimap with its two handles, zooming and panning, and labels that follow.
import { tell } from "../frame.js";
import { remember } from "../lib/state.js";
import { beside, clamp, closer, moment, pan } from "../lib/zoom.js";

const percent = (place) => `${place / 10}%`;

/** A handle of the minimap. */
function knob(label) {
  const node = document.createElement("div");
  node.className = "handle";
  node.tabIndex = 0;
  node.setAttribute("role", "slider");
  node.setAttribute("aria-label", label);
  node.setAttribute("aria-valuemin", "0");
  node.setAttribute("aria-valuemax", "100");
  return node;
}

export class Range {
  constructor(fall, rows) {
    this.fall = fall;
    this.rows = rows;
    this.map = fall.querySelector("[data-minimap]");
    this.drawing = this.map.querySelector("svg");
    this.reset = this.map.querySelector("[data-reset]");
    this.seen = fall.dataset.zoom.split(" ").map(Number);
    this.stretches = this.map.dataset.stretches.split(";").filter((text) => text.trim()).map((text) => {
      const [start, end, x, width] = text.trim().split(" ");
      return [BigInt(start), BigInt(end), Number(x), Number(width)];
    });
    this.handles = [knob("Start of the visible range"), knob("End of the visible range")];
    this.cursor = document.createElement("div");
    this.cursor.className = "cursor";
    this.map.append(this.cursor, ...this.handles);
    this.brush = this.map.querySelector("[data-brush]");
    this.listen();
    this.mark();
  }

  get zoomed() {
    return this.seen[0] > 0 || this.seen[1] < 1000;
  }

  /** Place and width of a drawing that is wider than its window. */
  fit(node) {
    const wide = this.seen[1] - this.seen[0];
    node.setAttribute("x", percent((-1000 * this.seen[0]) / wide));
    node.setAttribute("width", percent((1000 * 1000) / wide));
  }

  /** A row that came onto the page. */
  drawn(row) {
    const key = this.seen.join(" ");
    if (row.seenAs === key || (row.seenAs === undefined && !this.zoomed)) return;
    row.seenAs = key;
    for (const node of row.querySelectorAll("[data-zoomed]")) this.fit(node);
    for (const text of row.querySelectorAll("text[data-left]")) {
      const [side, place] = beside(Number(text.dataset.left), Number(text.dataset.right), Number(text.dataset.letters), this.seen);
      text.setAttribute("x", percent(place));
      text.setAttribute("dx", side === "right" ? 6 : -6);
      text.setAttribute("text-anchor", side === "right" ? "start" : "end");
      text.classList.toggle("inside", side === "in");
      text.classList.toggle("gone", side === "out");
    }
  }

  /** The minimap's shades, handles and reset. */
  mark() {
    const [low, high] = this.seen;
    const [left, right] = ["left", "right"].map((side) => this.map.querySelector(`[data-shade="${side}"]`));
    left.setAttribute("width", percent(low));
    right.setAttribute("x", percent(high));
    right.setAttribute("width", percent(1000 - high));
    this.handles.forEach((handle, end) => {
      handle.style.left = `calc(12px + (100% - 28px) * ${this.seen[end] / 1000})`;
      handle.setAttribute("aria-valuenow", (this.seen[end] / 10).toFixed(1));
      handle.setAttribute("aria-valuetext", `${(this.seen[end] / 10).toFixed(1)} percent of the trace`);
    });
    if (this.reset) this.reset.hidden = !this.zoomed;
  }

  /** Look at a part of the axis. */
  look(range) {
    this.seen = clamp(range);
    this.mark();
    for (const node of this.fall.querySelectorAll(".behind [data-zoomed]")) this.fit(node);
    for (const row of this.rows.body.querySelectorAll("[data-row]")) this.drawn(row);
    const zoom = this.zoomed ? this.seen.map((place) => moment(this.stretches, place)).join("-") : "";
    remember({ zoom });
    clearTimeout(this.due);
    this.due = setTimeout(() => this.axis(zoom), 90);
  }

  async axis(zoom) {
    const response = await this.rows.ask("axis", zoom ? { zoom } : {});
    if (!response) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const part of ["axis", "grid"]) this.fall.querySelector(`svg[data-${part}]`).replaceWith(page.querySelector(`svg[data-${part}]`));
    tell(this.fall.querySelector("[data-axis-place]"));
  }

  pan(share) { this.look(pan(this.seen, share)); }

  closer(factor) { this.look(closer(this.seen, factor)); }

  all() { this.look([0, 1000]); }

  at(event) {
    const box = this.drawing.getBoundingClientRect();
    return Math.min(1000, Math.max(0, ((event.clientX - box.left) / box.width) * 1000));
  }

  listen() {
    let held = null; // what is dragged: a handle's number, or where a new range began
    const show = (from, to) => {
      this.brush.setAttribute("x", percent(Math.min(from, to)));
      this.brush.setAttribute("width", percent(Math.abs(to - from)));
    };
    this.map.addEventListener("pointerdown", (event) => {
      if (event.button || event.target.closest("[data-reset]")) return;
      const end = this.handles.indexOf(event.target);
      held = { end, from: end < 0 ? this.at(event) : this.seen[end] };
      this.map.setPointerCapture(event.pointerId);
      this.map.classList.add("dragging");
      event.preventDefault();
      if (end >= 0) this.handles[end].focus();
    });
    this.map.addEventListener("pointermove", (event) => {
      const box = this.map.getBoundingClientRect();
      this.cursor.style.left = `${event.clientX - box.left}px`;
      this.cursor.hidden = Boolean(event.target.closest(".handle, [data-reset]"));
      if (held) show(held.from, this.at(event));
    });
    this.map.addEventListener("pointerup", (event) => {
      if (!held) return;
      const to = this.at(event);
      const { end, from } = held;
      held = null;
      this.map.classList.remove("dragging");
      show(0, 0);
      if (end < 0 && Math.abs(to - from) < 4) return;
      const range = end < 0 ? [from, to] : end === 0 ? [to, this.seen[1]] : [this.seen[0], to];
      this.look([Math.min(...range), Math.max(...range)]);
    });
    this.handles.forEach((handle, end) => handle.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -10, ArrowRight: 10, ArrowDown: -10, ArrowUp: 10 }[event.key];
      const edge = { Home: 0, End: 1000 }[event.key];
      if (step === undefined && edge === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      const next = [...this.seen];
      next[end] = edge ?? next[end] + step * (event.shiftKey ? 10 : 1);
      next[end] = end === 0 ? Math.min(Math.max(0, next[0]), next[1] - 1) : Math.max(Math.min(1000, next[1]), next[0] + 1);
      this.look(next);
    }));
    this.reset?.addEventListener("click", (event) => {
      event.preventDefault();
      this.all();
    });
  }
}
