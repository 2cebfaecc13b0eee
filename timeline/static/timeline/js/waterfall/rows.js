// The rows of a waterfall: which are closed, found and chosen; of a long trace only those in view are drawn.
import { say } from "../frame.js";
import { fromRanges, level, next, open, parent, range, toRanges, toText } from "../lib/tree.js";
import { remember } from "../lib/state.js";

const HEIGHT = 24;
const ASKED = 160; // rows in one request

function html(name, attributes, ...inside) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...inside);
  return node;
}

export class Rows {
  constructor(fall, drawn, chosen) {
    this.fall = fall;
    this.body = fall.querySelector("tbody");
    this.href = fall.dataset.rowsHref;
    this.mark = fall.dataset.mark;
    this.long = fall.dataset.more !== undefined;
    this.size = Number(fall.dataset.rows);
    this.place = Number(fall.dataset.chosen);
    this.drawn = drawn; // called with each row that is put on the page
    this.panel = chosen;
    this.made = new Map();
    this.gaps = new Map();
    this.breaks = new Map();
    this.closed = new Set();
    this.folded = new Set();
    this.out = new Set();
    this.matches = null;
    this.depths = [];
    this.take(this.body.children, true);
    const found = [...this.made].filter(([, row]) => row.matches(".match"));
    if (document.getElementById("find")?.value) this.matches = new Set(found.map(([place]) => place));
  }

  /** Keep rows that came as markup. */
  take(rows, first = false) {
    let gap = null;
    for (const row of [...rows]) {
      if (row.dataset.break !== undefined) {
        gap = Number(row.dataset.break);
        this.gaps.set(gap, row);
      } else if (row.dataset.row !== undefined) {
        const place = Number(row.dataset.place);
        this.made.set(place, row);
        if (gap !== null) this.breaks.set(place, gap);
        gap = null;
        if (!first || this.long) continue;
        this.depths[place] = Number(row.dataset.depth);
        if (row.getAttribute("aria-expanded") === "false") this.closed.add(place);
        if (row.matches(".messages")) this.folded.add(place);
        if (row.dataset.filtered !== undefined) this.out.add(place);
      }
    }
  }

  /** The part of the picture that a request names; nothing where the trace has changed since. */
  async ask(part, more = {}) {
    const query = new URLSearchParams(more).toString();
    const response = await fetch(`${this.href}&part=${part}${query ? `&${query}` : ""}`).catch(() => null);
    if (response?.status === 409) say("This trace has changed since: open it anew");
    return response?.ok ? response : null;
  }

  async start() {
    if (!this.long) return this.show();
    const response = await this.ask("shape", this.given());
    if (!response) return undefined;
    const shape = await response.json();
    this.depths = shape.depths;
    this.closed = new Set(fromRanges(shape.closed));
    this.folded = new Set(fromRanges(shape.folded));
    this.out = new Set(fromRanges(shape.out));
    this.breaks = new Map(Object.entries(shape.breaks).map(([place, gap]) => [Number(place), gap]));
    this.above = html("tr", { class: "spacer", role: "presentation" }, html("td", { colspan: "2" }));
    this.below = this.above.cloneNode(true);
    if (this.matches) await this.find(document.getElementById("find").value);
    this.show();
    if (new URL(location.href).searchParams.has("span") && this.place >= 0) this.reach(this.place, false);
    this.fall.dataset.ready = "";
    return undefined;
  }

  /** What the address says of this picture and the rows' own address does not. */
  given() {
    const url = new URL(location.href);
    return Object.fromEntries(["closed", "hide"].flatMap((name) => (url.searchParams.has(name) ? [[name, url.searchParams.get(name)]] : [])));
  }

  /** The lines in sight: places, and breaks as -1 - number. */
  show() {
    this.seen = open(this.depths, this.closed, this.out.size ? this.out : null);
    this.spots = new Map(this.seen.map((place, spot) => [place, spot]));
    if (this.long) {
      this.items = this.seen.flatMap((place) => (this.breaks.has(place) ? [-1 - this.breaks.get(place), place] : [place]));
      this.lines = new Map(this.items.map((item, line) => [item, line]));
      this.drew = null;
      return this.scroll();
    }
    for (const [place, row] of this.made) {
      this.look(place, row);
      row.classList.toggle("hidden-row", !this.spots.has(place));
      this.gaps.get(this.breaks.get(place))?.classList.toggle("hidden-row", !this.spots.has(place));
      this.drawn(row);
    }
    return undefined;
  }

  /** Bring the marks of a row up to date. */
  look(place, row) {
    if (row.hasAttribute("aria-expanded")) row.setAttribute("aria-expanded", String(!this.closed.has(place)));
    if (place === this.place) row.setAttribute("aria-selected", "true");
    else row.removeAttribute("aria-selected");
    row.tabIndex = place === this.place ? 0 : -1;
    row.classList.toggle("match", Boolean(this.matches?.has(place)));
    row.classList.toggle("dim", Boolean(this.matches && !this.matches.has(place)));
  }

  element(item) {
    if (item < 0) return this.gaps.get(-1 - item) ?? this.blank(item);
    const row = this.made.get(item);
    if (!row) return this.blank(item);
    this.look(item, row);
    this.drawn(row);
    return row;
  }

  blank(item) {
    this.blanks ??= new Map();
    if (!this.blanks.has(item)) this.blanks.set(item, html("tr", { class: "awaited", role: "presentation" }, html("td", {}), html("td", {})));
    return this.blanks.get(item);
  }

  scroll() {
    if (!this.long || !this.items) return;
    const top = Math.max(0, -this.body.getBoundingClientRect().top);
    const [from, to] = range(this.items.length, HEIGHT, top, innerHeight, 4);
    if (this.drew && from >= this.drew[0] && to <= this.drew[1]) return;
    const [first, last] = range(this.items.length, HEIGHT, top, innerHeight, 24);
    this.drew = [first, last];
    this.put(this.items.slice(first, last).map((item) => this.element(item)), first, last);
    this.fetch();
  }

  put(wanted, first, last) {
    const focus = this.body.contains(document.activeElement) ? Number(document.activeElement.closest("[data-row]")?.dataset.place) : NaN;
    const kept = new Set(wanted);
    for (const row of [...this.body.children]) if (!kept.has(row)) row.remove();
    let spot = this.body.firstChild;
    for (const row of wanted) {
      if (row === spot) spot = spot.nextSibling;
      else this.body.insertBefore(row, spot);
    }
    this.above.firstChild.style.height = `${first * HEIGHT}px`;
    this.below.firstChild.style.height = `${(this.items.length - last) * HEIGHT}px`;
    this.body.prepend(this.above);
    this.body.append(this.below);
    if (!Number.isNaN(focus)) this.made.get(focus)?.focus({ preventScroll: true });
  }

  /** Asks for the rows in and around the view that are not here yet, one request at a time. */
  async fetch() {
    if (this.asking) return;
    const spare = ASKED / 4;
    const [first, last] = this.drew;
    const missing = this.items.slice(Math.max(0, first - spare), last + spare).filter((item) => item >= 0 && !this.made.has(item));
    if (!missing.length) return;
    this.asking = true;
    const middle = this.items[Math.floor((first + last) / 2)] ?? 0;
    const wanted = missing.sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle)).slice(0, ASKED).sort((a, b) => a - b);
    const response = await this.ask("rows", { at: toRanges(wanted) });
    this.asking = false;
    if (!response) return;
    const page = new DOMParser().parseFromString(`<table><tbody>${await response.text()}</tbody></table>`, "text/html");
    this.take([...page.querySelectorAll("tr")].map((row) => document.adoptNode(row)));
    this.drew = null;
    this.scroll();
    if (this.made.has(this.wanted) && this.wanted === this.place) this.reach(this.wanted);
    this.wanted = undefined;
  }

  /** After rows were opened or closed: the same row stays where it was. */
  refold(kept = this.place) {
    const row = this.made.get(kept);
    const before = row?.isConnected ? row.getBoundingClientRect().top : null;
    this.show();
    if (before !== null && row.isConnected) scrollBy(0, row.getBoundingClientRect().top - before);
    const text = toText(this.depths, this.folded, this.closed);
    remember({ closed: text && text.length < 1500 ? `${this.mark.slice(0, 4)}.${text}` : "" });
    if (text.length >= 1500) say("Too many rows to keep in the link");
  }

  twist(place, close) {
    if (!parent(this.depths, place) || this.closed.has(place) === close) return false;
    if (close) this.closed.add(place);
    else this.closed.delete(place);
    this.refold(place);
    return true;
  }

  twistAll(close) {
    this.closed = new Set(close ? this.depths.flatMap((_, place) => (parent(this.depths, place) ? [place] : [])) : []);
    this.refold();
  }

  twistLevel(by) {
    this.closed = level(this.depths, this.closed, by);
    this.refold();
  }

  /** The row above in the tree, or -1. */
  over(place) {
    let spot = place;
    while (spot >= 0 && this.depths[spot] >= this.depths[place]) spot -= 1;
    return spot;
  }

  /** Opens what hides the row, brings it into view and chooses it. */
  reach(place, focus = true) {
    let hidden = false;
    for (let spot = this.over(place); spot >= 0; spot = this.over(spot)) hidden = this.closed.delete(spot) || hidden;
    if (hidden) this.refold(-1);
    if (this.long) {
      const top = this.body.getBoundingClientRect().top + scrollY + (this.lines.get(place) ?? 0) * HEIGHT;
      if (top < scrollY + 150 || top > scrollY + innerHeight - 60) scrollTo(0, top - innerHeight / 2);
    }
    this.choose(place);
    const row = this.made.get(place);
    row?.scrollIntoView({ block: "nearest" });
    if (focus) row?.focus({ preventScroll: true });
  }

  choose(place) {
    const before = this.made.get(this.place);
    const last = this.place;
    this.place = place;
    if (before) this.look(last, before);
    const row = this.made.get(place);
    if (row) this.look(place, row);
    if (this.long) {
      this.drew = null;
      this.scroll();
    }
    const id = row?.dataset.id;
    if (id) {
      remember({ span: id });
      this.panel(id);
    } else this.wanted = place; // chosen when it is here
  }

  /** The place of a row that is on the page, or -1. */
  placeOf(node) {
    const row = node.closest?.("[data-row]");
    return row && this.body.contains(row) ? Number(row.dataset.place) : -1;
  }

  async find(text) {
    const wanted = text.trim();
    const response = wanted ? await this.ask("find", { find: wanted }) : null;
    const answer = response ? await response.json() : null;
    this.matches = answer ? new Set(fromRanges(answer.at)) : null;
    if (this.items || !this.long) {
      this.drew = null;
      if (this.long) this.scroll();
      else this.show();
    }
    return answer;
  }

  /** Goes to the next match, or with -1 to the one before. */
  match(by) {
    if (!this.matches?.size) return -1;
    const from = this.place < 0 ? (by > 0 ? -1 : this.depths.length) : this.place;
    const place = next(this.depths.length, from, by, (spot) => this.matches.has(spot) && !this.out.has(spot));
    if (place >= 0) this.reach(place);
    return place;
  }
}
