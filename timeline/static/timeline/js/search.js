// The histogram's brush: drag or arrow keys choose a range, Enter or the link asks for it.
import { iso, write } from "./lib/times.js";

const NS = "http://www.w3.org/2000/svg";

function brush(plot) {
  const start = BigInt(plot.dataset.start);
  const whole = BigInt(plot.dataset.end) - start;
  const interval = BigInt(plot.dataset.interval);
  const steps = Math.max(1, Number(whole / interval));
  const svg = plot.querySelector("svg");
  const said = plot.querySelector("output");
  const zoom = document.querySelector("[data-brush-zoom]");
  const clear = document.querySelector("[data-brush-clear]");
  const shade = svg.appendChild(document.createElementNS(NS, "rect"));
  shade.setAttribute("class", "brush");
  shade.setAttribute("height", "96");
  shade.setAttribute("visibility", "hidden");
  let fixed = 0;
  let moving = 0;
  let chosen = false;

  const at = (step) => start + (whole * BigInt(step)) / BigInt(steps);
  const clock = (ns) => write(ns, "clock", document.documentElement.dataset.zone === "local");
  const step = (event) => {
    const box = svg.getBoundingClientRect();
    return Math.min(steps, Math.max(0, Math.round(((event.clientX - box.left) / box.width) * steps)));
  };

  function target() {
    const url = new URL(location.href);
    for (const name of ["range", "cursor", "fact"]) url.searchParams.delete(name);
    url.searchParams.set("was", plot.dataset.was);
    url.searchParams.set("from", iso(at(Math.min(fixed, moving))));
    url.searchParams.set("to", iso(at(Math.max(fixed, moving))));
    return url;
  }

  function show(on) {
    chosen = on && fixed !== moving;
    shade.setAttribute("visibility", on ? "visible" : "hidden");
    shade.setAttribute("x", `${(100 * Math.min(fixed, moving)) / steps}%`);
    shade.setAttribute("width", `${(100 * Math.abs(fixed - moving)) / steps || 0.1}%`);
    said.textContent = on ? (chosen ? `${clock(at(Math.min(fixed, moving)))} to ${clock(at(Math.max(fixed, moving)))}` : clock(at(moving))) : "";
    zoom.hidden = clear.hidden = !chosen;
    if (chosen) zoom.href = target();
  }

  plot.tabIndex = 0;
  plot.setAttribute("role", "group");
  plot.setAttribute("aria-label", "Choose a range: arrow keys move, with Shift select, Enter asks for it");
  let down = null;
  plot.addEventListener("pointerdown", (event) => { if (event.button === 0) down = { x: event.clientX, step: step(event) }; });
  plot.addEventListener("pointermove", (event) => {
    const bar = event.target.closest("[data-bar]");
    if (!down) {
      if (bar && !chosen) said.textContent = bar.getAttribute("aria-label");
      return;
    }
    if (Math.abs(event.clientX - down.x) < 4 && !plot.hasPointerCapture(event.pointerId)) return;
    plot.setPointerCapture(event.pointerId);
    fixed = down.step;
    moving = step(event);
    show(true);
  });
  plot.addEventListener("pointerup", () => { down = null; });
  plot.addEventListener("pointerleave", () => { if (!chosen && !down) said.textContent = ""; });
  plot.addEventListener("click", (event) => { if (chosen && plot.contains(event.target)) event.preventDefault(); }, true);
  const undo = () => {
    const out = document.querySelector("[data-zoom-out]");
    if (chosen || !out) show(false);
    else location.assign(out.href);
  };
  plot.addEventListener("dblclick", undo);
  plot.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      moving = Math.min(steps, Math.max(0, moving + (event.key === "ArrowLeft" ? -1 : 1)));
      if (!event.shiftKey) fixed = moving;
      show(true);
    } else if (event.key === "Enter" && chosen) location.assign(target());
    else if (event.key === "Escape") undo();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  clear.addEventListener("click", () => show(false));
}

function start() {
  for (const plot of document.querySelectorAll("[data-histogram]")) brush(plot);
  const text = document.querySelector("[data-column]");
  if (text) {
    text.focus();
    text.setSelectionRange(Number(text.dataset.column) - 1, Number(text.dataset.column));
  }
}

start();
document.addEventListener("replaced", start);
