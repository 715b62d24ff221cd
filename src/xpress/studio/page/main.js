// Opens the session, and switches tabs and colours.

import { $, addHints } from "./elements.js";
import { FileField } from "./field.js";
import { askJson, open } from "./server.js";
import * as reenact from "./reenact.js";
import * as expressions from "./expressions.js";
import * as live from "./live.js";
import * as inside from "./inside.js";

function tabs() {
  const all = [...document.querySelectorAll("[role=tab]")];
  const select = (tab, focus) => {
    for (const other of all) {
      other.setAttribute("aria-selected", other === tab);
      other.tabIndex = other === tab ? 0 : -1;
      $(`#${other.getAttribute("aria-controls")}`).hidden = other !== tab;
    }
    history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
    if (focus) tab.focus();
    dispatchEvent(new CustomEvent("tab", { detail: tab.getAttribute("aria-controls") }));
  };
  all.forEach((tab, number) => {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) select(all[(number + step + all.length) % all.length], true);
    });
  });
  select(all.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash) ?? all[0]);
}

function theme() {
  const select = $("#theme");
  const apply = () => { document.documentElement.dataset.theme = select.value; };
  try { select.value = localStorage.getItem("theme") ?? ""; } catch { /* no storage here */ }
  select.addEventListener("change", () => {
    apply();
    try { localStorage.setItem("theme", select.value); } catch { /* no storage here */ }
  });
  apply();
}

// A file that misses a field must not replace the page.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());

theme();
addHints(document.body);
try {
  await open();
  const fields = {};
  for (const element of document.querySelectorAll("[data-field]")) fields[element.dataset.field] = new FileField(element);
  const { files } = await askJson("examples");
  for (const field of Object.values(fields)) {
    field.example = files[field.element.dataset.example];
  }
  reenact.start(fields);
  expressions.start(fields.edited);
  live.start(fields.live);
  inside.start(fields.looked);
  for (const field of Object.values(fields)) field.useExample();
  tabs();
  document.body.dataset.ready = "true";
} catch (error) {
  $("#notice").textContent = error.message;
  $("#notice").hidden = false;
}
