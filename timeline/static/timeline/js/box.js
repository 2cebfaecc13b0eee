// The box: takes several lines, completes what is typed, and lists recent and saved searches while it is empty.
const MOST_LINES = 8;
let made = 0;

function element(name, attributes = {}, ...inside) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...inside);
  return node;
}

/** A one-line field loses the line ends of what is pasted; a text area keeps them. */
function widened(input) {
  if (input.tagName === "TEXTAREA") return input;
  const area = element("textarea", { rows: "1" });
  for (const { name, value } of input.attributes) if (!["type", "value"].includes(name)) area.setAttribute(name, value);
  area.value = input.getAttribute("value") ?? "";
  const focused = document.activeElement === input;
  input.replaceWith(area);
  if (focused) area.focus();
  return area;
}

class Box {
  constructor(form) {
    this.form = form;
    this.area = widened(form.querySelector("input[type=text], textarea"));
    this.list = element("ul", { class: "offers", role: "listbox", id: `offers-${(made += 1)}`, "aria-label": "Suggestions", hidden: "" });
    this.said = element("span", { class: "hidden", role: "status" });
    form.append(this.list, this.said);
    for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": this.list.id })) this.area.setAttribute(name, value);
    this.large = form.classList.contains("large");
    this.chosen = -1;
    this.asked = null;
    this.area.addEventListener("input", () => {
      this.grow();
      if (this.offers?.some((offer) => offer.href)) this.close();  // what was asked lately completes nothing
      this.later();
    });
    this.area.addEventListener("focus", () => { this.grow(); if (!this.area.value) this.later(0); });
    this.area.addEventListener("blur", () => { this.close(); this.grow(); });
    this.area.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("pointerdown", (event) => {
      event.preventDefault();  // the field keeps the focus
      const option = event.target.closest("[role=option]");
      if (option) this.take(this.offers[[...this.list.querySelectorAll("[role=option]")].indexOf(option)]);
    });
    this.grow();
  }

  grow() {
    const lines = this.area.value.split("\n").length;
    const open = lines > 1 && (this.large || document.activeElement === this.area);
    this.area.rows = open ? Math.min(MOST_LINES, lines) : 1;
    this.form.classList.toggle("grown", open);
  }

  later(wait = 120) {
    clearTimeout(this.timer);
    this.asked?.abort();  // an answer to fewer letters says nothing any more
    this.timer = setTimeout(() => this.ask(), wait);
  }

  async ask() {
    const { value, selectionStart, selectionEnd } = this.area;
    this.asked?.abort();
    if (selectionStart !== selectionEnd || value.includes("\n") || selectionStart > 2000) return this.close();
    this.asked = new AbortController();
    const url = new URL("/api/v1/suggest", location.href);
    url.searchParams.set("text", value.slice(0, selectionStart));
    try {
      const response = await fetch(url, { signal: this.asked.signal, headers: { accept: "application/json" } });
      if (!response.ok || document.activeElement !== this.area) return this.close();
      const answer = await response.json();
      this.start = [...value.slice(0, selectionStart)].slice(0, answer.start).join("").length;  // characters, not code units
      this.show(answer.offers);
    } catch { /* another letter was typed, or the store is away: no suggestions */ }
    return undefined;
  }

  show(offers) {
    if (!offers.length) return this.close();
    const before = this.chosen < 0 ? null : this.offers[this.chosen].text;
    this.offers = offers;
    this.chosen = -1;
    const rows = [];
    let group = "";
    offers.forEach((offer, place) => {
      if (offer.kind !== group) {
        group = offer.kind;
        const title = { recent: "Asked lately", saved: "Saved" }[group];
        if (title) rows.push(element("li", { class: "offer-title", role: "presentation" }, title));
      }
      const option = element("li", { role: "option", id: `${this.list.id}-${place}`, "aria-selected": "false" }, element("span", { class: "mono" }, offer.label));
      if (offer.note) option.append(element("span", { class: "faint" }, offer.note));
      if (offer.count) option.append(element("span", { class: "count" }, offer.count.toLocaleString("en")));
      rows.push(option);
    });
    this.list.replaceChildren(...rows);
    this.list.hidden = false;
    this.area.setAttribute("aria-expanded", "true");
    this.said.textContent = `${offers.length} suggestions`;
    const again = before === null ? -1 : offers.findIndex((offer) => offer.text === before);
    for (let step = 0; step <= again; step += 1) this.move(1);  // what was chosen stays so
    if (again < 0) this.area.removeAttribute("aria-activedescendant");
    return undefined;
  }

  close() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.list.hidden = true;
    this.chosen = -1;
    this.said.textContent = "";
    this.area.setAttribute("aria-expanded", "false");
    this.area.removeAttribute("aria-activedescendant");
  }

  move(step) {
    const options = [...this.list.querySelectorAll("[role=option]")];
    this.chosen = (this.chosen + step + options.length + (this.chosen < 0 && step < 0)) % options.length;
    options.forEach((option, place) => option.setAttribute("aria-selected", String(place === this.chosen)));
    this.area.setAttribute("aria-activedescendant", options[this.chosen].id);
    options[this.chosen].scrollIntoView({ block: "nearest" });
  }

  take(offer) {
    if (offer.href) return location.assign(offer.href);
    const rest = this.area.value.slice(this.area.selectionStart);
    const space = offer.kind === "value" && !rest.startsWith(" ") ? " " : "";
    this.area.value = `${this.area.value.slice(0, this.start)}${offer.text}${space}${rest}`;
    const caret = this.start + offer.text.length + space.length;
    this.close();
    this.area.focus();
    this.area.setSelectionRange(caret, caret);
    if (offer.kind === "key") this.later(0);
    return undefined;
  }

  key(event) {
    const open = !this.list.hidden;
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (open && this.chosen >= 0) this.take(this.offers[this.chosen]);
      else this.form.requestSubmit();
    } else if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      this.move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "ArrowDown" && !this.area.value.includes("\n")) {
      event.preventDefault();
      this.later(0);
    } else if (open && event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    }
  }
}

export function start(within = document) {
  for (const form of within.querySelectorAll("form.box")) if (!form.dataset.box) { form.dataset.box = "on"; new Box(form); }
}

start();
document.addEventListener("replaced", () => start());
