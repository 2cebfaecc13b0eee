// Labels of a drawing that would cover each other in this width: the more important ones stay.
const MOST = 600; // labels that are measured; a drawing with more has a log that says it all

/** Keep the labels of `drawing` apart, now and whenever its width changes; `kinds` are selectors, the most important first. */
export function keepApart(drawing, kinds) {
  const labels = [...new Set(kinds.flatMap((kind) => [...drawing.querySelectorAll(kind)]))].slice(0, MOST);
  let width = 0;
  new ResizeObserver(([entry]) => {
    if (Math.abs(entry.contentRect.width - width) < 1) return;
    width = entry.contentRect.width;
    arrange(labels);
  }).observe(drawing);
}

function arrange(labels) {
  const taken = [];
  const boxes = labels.map((label) => label.getBoundingClientRect());
  labels.forEach((label, place) => {
    const box = boxes[place];
    const covered = taken.some((other) => box.left < other.right && other.left < box.right && box.top + 3 < other.bottom && other.top + 3 < box.bottom);
    label.setAttribute("visibility", covered ? "hidden" : "visible");
    if (!covered) taken.push(box);
  });
}
