// What every page does beyond links and forms: keys, copying, the reader's zone and colours.
import { write } from "./lib/times.js";

const root = document.documentElement;
root.dataset.scripts = "on";

function remember(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`;
}

export function say(text) {
  const toast = document.querySelector(".toast");
  toast.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { toast.textContent = ""; }, 1800);
}

/** Writes every moment below `within` in the chosen zone. */
export function tell(within = document) {
  const local = root.dataset.zone === "local";
  for (const node of within.querySelectorAll("[data-ns]")) node.textContent = write(BigInt(node.dataset.ns), node.dataset.style, local);
  for (const node of within.querySelectorAll("[data-zone-name]")) node.textContent = local ? "local" : "UTC";
}

function setZone(zone) {
  root.dataset.zone = zone;
  remember("zone", zone);
  for (const button of document.querySelectorAll("[data-zone-set]")) button.setAttribute("aria-pressed", String(button.dataset.zoneSet === zone));
  tell();
}

function nextTheme() {
  const themes = ["auto", "light", "dark"];
  const theme = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
  root.dataset.theme = theme;
  remember("theme", theme);
  say(theme === "auto" ? "Colours as the system" : `Colours: ${theme}`);
}

function toggleRail(button) {
  const closed = root.dataset.rail !== "closed";
  root.dataset.rail = closed ? "closed" : "open";
  button.setAttribute("aria-expanded", String(!closed));
  remember("rail", closed ? "closed" : "open");
}

async function copyText(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    say(said);
  } catch {
    say("The browser did not allow copying");
  }
}

const actions = {
  rail: toggleRail,
  theme: nextTheme,
  keys: () => document.querySelector("dialog.keys").showModal(),
  link: () => copyText(location.href, "Link copied"),
};

/** Enhancements for markup that came with the page or was fetched later. */
export function enhance(within = document) {
  for (const button of within.querySelectorAll("[data-copy]")) button.hidden = false;
  if (root.dataset.zone === "local") tell(within);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-do], [data-zone-set]");
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  if (!button) return;
  if (button.dataset.copy !== undefined) copyText(button.dataset.copy, "Copied");
  else if (button.dataset.zoneSet) setZone(button.dataset.zoneSet);
  else if (actions[button.dataset.do]) {
    event.preventDefault();
    actions[button.dataset.do](button);
  }
});

const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);

/** Moves the selection by `step` rows and brings it into view. */
function move(step) {
  const all = rows();
  if (!all.length) return;
  const now = all.findIndex((row) => row.getAttribute("aria-selected") === "true");
  const next = all[Math.min(Math.max(now + step, 0), all.length - 1)];
  next.dispatchEvent(new CustomEvent("choose", { bubbles: true }));
  if (!next.closest("[data-own-selection]")) select(next);
  (next.querySelector(".open") ?? next).focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

export function select(row) {
  for (const other of document.querySelectorAll("[data-row][aria-selected]")) other.removeAttribute("aria-selected");
  row.setAttribute("aria-selected", "true");
}

function closeAll() {
  const open = document.querySelector("details.menu[open]");
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
  } else document.activeElement?.blur();
}

const keys = {
  "/": () => { const box = document.getElementById("q"); box.focus(); box.select(); },
  w: () => location.assign("/watches"),
  "?": actions.keys,
  j: () => move(1),
  k: () => move(-1),
  c: actions.link,
  z: () => setZone(root.dataset.zone === "local" ? "utc" : "local"),
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return closeAll();
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
  const action = keys[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

/** Adds a key of one page; its letter must be in the list of keys. */
export function onKey(key, action) {
  keys[key] = action;
}

/** Tells on every page when something arrived that the reader waits for. */
function news() {
  const bell = document.querySelector("[data-news]");
  if (!bell) return;
  setTimeout(async () => {
    if (!document.hidden) {
      try {
        const response = await fetch("/watches/news", { headers: { accept: "application/json" } });
        if (response.ok && response.headers.get("content-type")?.includes("json")) ring(bell, (await response.json()).arrived);
      } catch { /* away for a moment: asked again */ }
    }
    news();
  }, 10000);
}

function ring(bell, arrived) {
  const count = bell.querySelector("[data-news-count]");
  if (arrived > Number(count.textContent || 0)) say("Something you wait for arrived");
  count.textContent = arrived || "";
  count.hidden = !arrived;
  bell.querySelector("[data-news-said]").textContent = arrived ? `${arrived} arrived` : "nothing new";
}

/** Asks this page again while its answer says that it settles by itself. */
function poll() {
  const part = document.querySelector("[data-poll]");
  if (!part) return;
  setTimeout(async () => {
    if (document.hidden) return poll();
    try {
      const response = await fetch(location.href, { headers: { accept: "text/html" } });
      if (response.ok) replace(part, new DOMParser().parseFromString(await response.text(), "text/html"));
    } catch { /* away for a moment: asked again */ }
    poll();
  }, Number(part.dataset.poll));
}

function replace(part, page) {
  const fresh = page.getElementById(part.id);
  if (!fresh) return;
  const changed = fresh.dataset.state !== part.dataset.state;
  if (!changed && !fresh.dataset.poll) delete part.dataset.poll;
  const before = part.querySelector("[data-progress]");
  const after = fresh.querySelector("[data-progress]");
  if (before && after && !changed) {
    const from = Number(before.dataset.from ?? before.dataset.progress);
    const left = Number(after.dataset.progress);
    before.dataset.from = String(Math.max(from, left));
    before.querySelector("rect").setAttribute("width", `${(100 * (1 - left / Math.max(from, left, 1))).toFixed(1)}%`);
    part.querySelector("[data-progress-said]").textContent = fresh.querySelector("[data-progress-said]").textContent;
    part.querySelector("h1").textContent = fresh.querySelector("h1").textContent;
    return;
  }
  if (!changed && !fresh.querySelector("[data-live]")) return;
  for (const live of changed ? [] : fresh.querySelectorAll("[data-live]")) part.querySelector(`[data-live="${live.dataset.live}"]`)?.replaceWith(live);
  if (changed) {
    part.replaceWith(fresh);
    document.title = page.title;
    document.dispatchEvent(new CustomEvent("replaced"));
  }
  enhance(changed ? fresh : part);
}

enhance();
news();
poll();
