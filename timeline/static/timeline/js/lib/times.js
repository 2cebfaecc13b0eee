// Moments for the reader's own zone. Pure: nanoseconds in, text out.

/** The text of `ns` (a BigInt since 1970) in style `style`; `local` uses the zone of this machine. */
export function write(ns, style, local) {
  const ms = Number(ns / 1000000n);
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return `${ns} ns`;
  const part = local
    ? { y: date.getFullYear(), mo: date.getMonth(), d: date.getDate(), h: date.getHours(), m: date.getMinutes(), s: date.getSeconds() }
    : { y: date.getUTCFullYear(), mo: date.getUTCMonth(), d: date.getUTCDate(), h: date.getUTCHours(), m: date.getUTCMinutes(), s: date.getUTCSeconds() };
  const two = (number) => String(number).padStart(2, "0");
  const clock = `${two(part.h)}:${two(part.m)}:${two(part.s)}`;
  const rest = String(((ns % 1000000000n) + 1000000000n) % 1000000000n).padStart(9, "0");
  const day = `${part.d} ${MONTHS[part.mo]} ${part.y}`;
  switch (style) {
    case "nanos": return `${clock}.${rest}`;
    case "seconds": return clock;
    case "minutes": return clock.slice(0, 5);
    case "day": return day;
    case "day-minutes": return `${day}, ${clock.slice(0, 5)}`;
    case "fraction": return `.${rest.slice(0, 3)}`;
    case "stamp": return `${day}, ${clock}.${rest.slice(0, 3)}`;
    default: return `${clock}.${rest.slice(0, 3)}`;
  }
}

/** RFC 3339 in UTC, with all nine digits: what goes into a URL. */
export function iso(ns) {
  const rest = String(ns % 1000000000n).padStart(9, "0");
  return `${new Date(Number(ns / 1000000n)).toISOString().slice(0, 19)}.${rest}Z`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
