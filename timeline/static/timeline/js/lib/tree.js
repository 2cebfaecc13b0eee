// Which rows of a tree are in sight. Pure: numbers in, numbers out.

/** Indexes of the rows that no closed row above hides. `depths[i]` is the level of row i. */
export function open(depths, closed) {
  const seen = [];
  for (let i = 0; i < depths.length; i += 1) {
    seen.push(i);
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
