// The page's address as the place of its state: what is shown is what a copied link shows.

/** Sets parameters; empty ones are left out. Links and forms of the page that keep the state follow. */
export function remember(changes) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  history.replaceState(null, "", url);
  for (const link of document.querySelectorAll(".toolbar .segments a, [data-keep-closed], a.break-label")) follow(link, changes);
  const form = document.querySelector("form.find");
  for (const [name, value] of Object.entries(changes)) {
    if (!form || name === "find") continue;
    let field = form.querySelector(`input[type="hidden"][name="${name}"]`);
    if (!field) {
      field = document.createElement("input");
      field.type = "hidden";
      field.name = name;
      form.append(field);
    }
    field.value = value;
    field.disabled = !value;
  }
}

function follow(link, changes) {
  const url = new URL(link.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  link.href = `${url.pathname}${url.search}`;
}
