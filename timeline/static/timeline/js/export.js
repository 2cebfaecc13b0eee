// Long exports: how far they are, a way to stop them, and a plain word where one broke off.
const NEWLINE = 10;
const EVERY = 250;  // ms between two words about it

function lines(chunk) {
  let count = 0;
  for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

class Export {
  constructor(link) {
    this.address = link.href;
    this.facts = Number(link.dataset.facts);
    this.stopped = new AbortController();
    this.panel = document.querySelector("[data-export-panel]");
    this.said = this.panel.querySelector("[data-export-said]");
    this.bar = this.panel.querySelector("progress");
    this.button = this.panel.querySelector("button");
    this.button.onclick = () => this.stopped.abort();
  }

  tell(text, part) {
    this.said.textContent = text;
    this.bar.hidden = part === null;
    if (part !== null) this.bar.value = part;
    this.panel.hidden = false;
  }

  close(text) {
    this.tell(text, null);
    this.button.textContent = "Close";
    this.button.onclick = () => { this.panel.hidden = true; };
  }

  async run() {
    this.button.textContent = "Cancel";
    this.tell("The export begins", 0);
    let taken = 0;
    try {
      const answer = await fetch(this.address, { signal: this.stopped.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      const parts = [];
      let told = 0;
      for (const reader = answer.body.getReader();;) {
        const { done, value } = await reader.read();
        if (done) break;
        parts.push(new Blob([value]));  // the browser keeps blobs on disk where there are many
        taken += lines(value);
        if (performance.now() - told < EVERY) continue;
        told = performance.now();
        const part = Math.min(99, Math.floor((taken * 100) / this.facts));
        this.tell(`${Math.min(taken, this.facts).toLocaleString("en")} of ${this.facts.toLocaleString("en")} facts, ${part}%`, part);
      }
      this.save(new Blob(parts), answer.headers.get("content-disposition"));
      this.close(`${this.facts.toLocaleString("en")} facts exported`);
    } catch (error) {
      if (error.name === "AbortError") this.close("Export cancelled; nothing was saved");
      else this.close(`The export broke off after ${taken.toLocaleString("en")} facts; nothing was saved. Try again, or a shorter time.`);
    }
  }

  save(blob, disposition) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = /filename="([^"]+)"/.exec(disposition ?? "")?.[1] ?? "throughline-export";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-facts]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  link.closest("details").open = false;
  new Export(link).run();
});
