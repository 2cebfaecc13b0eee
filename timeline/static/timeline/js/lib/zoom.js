// The part of an axis that is looked at. Pure: places run from 0 to 1000, moments are BigInt nanoseconds.

const LEAST = 0.02; // of the axis, the closest look

/** A part of the axis that is a part: within it, and not too small. */
export function clamp([low, high]) {
  const wide = Math.min(1000, Math.max(LEAST, high - low));
  const left = Math.min(Math.max(0, low), 1000 - wide);
  return [left, left + wide];
}

/** Moved by a share of what is seen. */
export const pan = ([low, high], share) => clamp([low + (high - low) * share, high + (high - low) * share]);

/** Closer (factor below 1) or further away, around a place. */
export function closer([low, high], factor, at = (low + high) / 2) {
  const wide = Math.min(1000, Math.max(LEAST, (high - low) * factor));
  const left = at - ((at - low) / (high - low)) * wide;
  return clamp([left, left + wide]);
}

/** The moment at a place. `stretches` are [start, end, x, width], breaks lie between them. */
export function moment(stretches, x) {
  for (let i = 0; i < stretches.length; i += 1) {
    const [start, end, from, wide] = stretches[i];
    if (x <= from + wide || i === stretches.length - 1) return between(start, end, wide ? (x - from) / wide : 0);
    const [later, , to] = stretches[i + 1];
    if (x < to) return between(end, later, (x - from - wide) / (to - from - wide));
  }
  return 0n;
}

function between(start, end, share) {
  const parts = BigInt(Math.round(Math.min(1, Math.max(0, share)) * 1e9));
  return start + ((end - start) * parts) / 1000000000n;
}

/** Where a label of so many letters stands beside what reaches from left to right: [side, place]; "in" is on it, "out" out of view. */
export function beside(left, right, letters, [low, high], letter = 11.5) {
  const scale = 1000 / (high - low);
  const near = Math.max(0, left - low) * scale;
  const far = Math.max(0, high - right) * scale;
  const wanted = letters * letter + 8;
  let side = "right";
  if (right < low || left > high) side = "out";
  else if (far < wanted && (near >= wanted || near > far)) side = "left";
  else if (far < wanted && (Math.min(right, high) - Math.max(left, low)) * scale > wanted) side = "in";
  return [side, side === "left" ? Math.max(Math.min(left, high), low) : Math.min(Math.max(right, low), high)];
}
