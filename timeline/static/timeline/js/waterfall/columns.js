// The two columns of a waterfall: a divider that is dragged or moved by keys, from 15 to 85 percent.

const KEPT = "throughline-tree-width";
const [LEAST, MOST] = [15, 85];

export function divide(fall) {
  const body = fall.querySelector(".fall-body");
  const handle = document.createElement("div");
  handle.className = "divider";
  handle.tabIndex = 0;
  for (const [name, value] of Object.entries({ role: "separator", "aria-orientation": "vertical", "aria-label": "Width of the tree", "aria-valuemin": LEAST, "aria-valuemax": MOST })) handle.setAttribute(name, value);
  body.append(handle);
  const now = () => (100 * (handle.offsetLeft + 3)) / body.clientWidth;
  const said = () => handle.setAttribute("aria-valuenow", String(Math.round(now())));
  const set = (share, keep = true) => {
    const next = Math.min(MOST, Math.max(LEAST, share));
    fall.style.setProperty("--tree", `${next.toFixed(2)}%`);
    said();
    if (keep) localStorage.setItem(KEPT, next.toFixed(2));
  };
  const before = Number(localStorage.getItem(KEPT));
  if (before) set(before, false);
  said();
  handle.addEventListener("pointerdown", (event) => { handle.setPointerCapture(event.pointerId); event.preventDefault(); handle.focus(); });
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const box = body.getBoundingClientRect();
    set((100 * (event.clientX - box.left)) / box.width);
  });
  handle.addEventListener("dblclick", () => {
    localStorage.removeItem(KEPT);
    fall.style.removeProperty("--tree");
    said();
  });
  handle.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
    const to = { Home: LEAST, End: MOST }[event.key];
    if (by === undefined && to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    set(to ?? now() + by * (event.shiftKey ? 5 : 1));
  });
}
