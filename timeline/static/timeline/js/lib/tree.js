// Which rows of a tree are in sight, and how a link says which are closed. Pure: numbers in, numbers out.

/** Places that no closed row above hides and no filter leaves out. `depths[i]` is the level of row i. */
export function open(depths, closed, out = null) {
  const seen = [];
  for (let i = 0; i < depths.length; i += 1) {
    if (!out?.has(i)) seen.push(i);
    if (!closed.has(i)) continue;
    const level = depths[i];
    while (i + 1 < depths.length && depths[i + 1] > level) i += 1;
  }
  return seen;
}

/** First and last place to draw of `count` rows of `height`, for a view from `top` of `view` pixels, with some to spare. */
export function range(count, height, top, view, spare = 20) {
  const first = Math.max(0, Math.floor(top / height) - spare);
  return [Math.min(first, count), Math.min(count, Math.ceil((top + view) / height) + spare)];
}

/** The next place after `from` (or before, with step -1) for which `wanted` holds, going round. */
export function next(count, from, step, wanted) {
  for (let i = 1; i <= count; i += 1) {
    const place = (((from + step * i) % count) + count) % count;
    if (wanted(place)) return place;
  }
  return -1;
}

/** Rising numbers as "1,4-7". */
export function toRanges(numbers) {
  const found = [];
  let start = -2;
  let end = -2;
  const put = () => { if (start >= 0) found.push(start === end ? `${start}` : `${start}-${end}`); };
  for (const number of numbers) {
    if (number === end + 1) end = number;
    else {
      put();
      [start, end] = [number, number];
    }
  }
  put();
  return found.join(",");
}

/** "1,4-7" as numbers. */
export function fromRanges(text) {
  const found = [];
  for (const part of text.split(",")) {
    if (!part) continue;
    const [low, high = low] = part.split("-").map(Number);
    for (let i = low; i <= high; i += 1) found.push(i);
  }
  return found;
}

/** Whether a row has rows below it. */
export const parent = (depths, place) => depths[place + 1] > depths[place];

/** Closed rows after opening (or with `by` -1 closing) one more level, as far as there is one. */
export function level(depths, closed, by) {
  const next = new Set(closed);
  let wanted = by > 0 ? Infinity : -1;
  if (by > 0) for (const place of closed) wanted = Math.min(wanted, depths[place]);
  else for (const place of open(depths, closed)) if (!closed.has(place) && parent(depths, place)) wanted = Math.max(wanted, depths[place]);
  for (let place = 0; place < depths.length; place += 1) {
    if (depths[place] !== wanted || !parent(depths, place)) continue;
    if (by > 0) next.delete(place);
    else next.add(place);
  }
  return next;
}

/** What `closed=` says after the check: the base that is nearest, and the rows that differ from it. */
export function toText(depths, folded, closed) {
  const levels = new Set([...closed].slice(0, 2000).map((place) => depths[place]));
  const lowest = levels.size ? Math.min(...levels) : 0;
  const bases = [["", folded], ["o", new Set()]];
  if (levels.size) bases.push([`d${lowest}`, new Set(depths.flatMap((depth, place) => (parent(depths, place) && (depth >= lowest || folded.has(place)) ? [place] : [])))]);
  let best = null;
  for (const [base, set] of bases) {
    const other = [...closed].filter((place) => !set.has(place)).concat([...set].filter((place) => !closed.has(place)));
    const text = `${base}.${toRanges(other.sort((a, b) => a - b))}`;
    if (best === null || text.length < best.length) best = text;
  }
  return best === "." ? "" : best;
}
