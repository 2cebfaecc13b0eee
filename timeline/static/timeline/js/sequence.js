// The sequence diagram: a picture of it to keep, and the chosen line in view.
import { say } from "./frame.js";

const SHARP = 2; // pixels of the picture for each of the drawing

/** Turns the drawing that the server makes into a PNG file. */
async function picture(href, name) {
  const response = await fetch(href).catch(() => null);
  if (!response?.ok) return say("The drawing could not be fetched");
  const text = await response.text();
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  try {
    await image.decode();
  } catch {
    return say("The browser could not draw it; save it as SVG");
  }
  const canvas = document.createElement("canvas");
  const sharp = Math.min(SHARP, 16000 / image.naturalWidth, 16000 / image.naturalHeight);
  canvas.width = Math.ceil(image.naturalWidth * sharp);
  canvas.height = Math.ceil(image.naturalHeight * sharp);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((done) => { canvas.toBlob(done, "image/png"); });
  if (!blob) return say("It is too large for a picture; save it as SVG");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  return undefined;
}

export function sequence() {
  const button = document.querySelector("[data-png]");
  if (!button) return;
  const href = document.querySelector("[data-svg]").href;
  button.addEventListener("click", () => picture(href, "throughline-sequence.png"));
  const side = document.querySelector(".seq-scroll .step.chosen");
  side?.scrollIntoView({ block: "nearest" });
}
