// Find in attributes, and copying what the API says.
import { say } from "./frame.js";

for (const card of document.querySelectorAll("[data-find]")) {
  card.querySelector("[data-find-in]").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const item of card.querySelectorAll("[data-findable]")) item.hidden = !item.textContent.toLowerCase().includes(wanted);
  });
}

for (const button of document.querySelectorAll("[data-copy-from]")) {
  button.addEventListener("click", async () => {
    try {
      const response = await fetch(button.dataset.copyFrom);
      if (!response.ok) throw new Error(String(response.status));
      await navigator.clipboard.writeText(JSON.stringify(await response.json(), null, 2));
      say("Copied");
    } catch {
      say("Could not copy; the JSON button opens it");
    }
  });
}
