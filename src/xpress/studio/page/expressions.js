// Sliders for the muscles of one face, with a picture that follows at once.

import { $, hint, make, say } from "./elements.js";
import { address, ask, askJson, tables } from "./server.js";
import { PLAIN } from "./words.js";

const SIDES = { _L: "left", _R: "right" };
let field;
let own = {};            // what the face shows itself, by name
const touched = new Map(); // what the user has set, by name
let busy = false, again = false;

const apart = () => $("#sides").checked && !$("#sides").disabled;
const nameOf = (number, side = "") => `AU${number}${side}`;
const capital = (text) => text[0].toUpperCase() + text.slice(1);

function row(name, label, low, explained) {
  const id = `slider-${name}`;
  const input = make("input", { type: "range", id, min: low, max: 1, step: 0.01 });
  input.value = touched.get(name) ?? own[name] ?? 0;
  const output = make("output", { htmlFor: id, textContent: Number(input.value).toFixed(2) });
  const made = make("div", { className: "slider" }, make("label", { htmlFor: id, textContent: label }));
  made.append(...(explained ? hint(explained, label) : [make("span")]), input, output);
  made.classList.toggle("touched", touched.has(name));
  input.addEventListener("input", () => {
    touched.set(name, Number(input.value));
    output.textContent = Number(input.value).toFixed(2);
    made.classList.add("touched");
    request();
  });
  return made;
}

function draw() {
  const rows = [];
  for (const { number, name, sides } of tables.units) {
    const label = `${String(number).padStart(2, "0")} ${capital(name)}`;
    if (apart() && sides) {
      for (const [side, word] of Object.entries(SIDES)) {
        const made = row(nameOf(number, side), `${label}, ${word}`, 0, side === "_L" ? PLAIN[number] : "");
        rows.push(made);
      }
    } else rows.push(row(nameOf(number), label, 0, PLAIN[number]));
  }
  $("#units").replaceChildren(...rows);
  const looks = $("#editor").value === "morphable" ? [
    row("gaze_x", "Eyes to their left or right", -1, "Where both eyes look; above 0 is the person’s own left."),
    row("gaze_y", "Eyes up or down", -1, "Where both eyes look; above 0 is up."),
  ] : [];
  $("#gaze-sliders").replaceChildren(...looks);
}

// Between one slider for both sides and one for each.
function separate() {
  for (const { number, sides } of tables.units) {
    if (!sides) continue;
    const both = nameOf(number), [left, right] = Object.keys(SIDES).map((side) => nameOf(number, side));
    if (apart() && touched.has(both)) {
      touched.set(left, touched.get(both)).set(right, touched.get(both)).delete(both);
    } else if (!apart() && (touched.has(left) || touched.has(right))) {
      const value = (name) => touched.get(name) ?? own[name] ?? 0;
      touched.set(both, (value(left) + value(right)) / 2);
      touched.delete(left);
      touched.delete(right);
    }
  }
}

function wish() {
  const units = Object.fromEntries([...touched].filter(([name]) => name.startsWith("AU")));
  const turned = touched.has("gaze_x") || touched.has("gaze_y");
  const gaze = turned ? ["gaze_x", "gaze_y"].map((name) => touched.get(name) ?? own[name] ?? 0) : null;
  return { file: field.file.id, face: field.face, editor: $("#editor").value, units, gaze };
}

// One request at a time; what was set meanwhile goes with the next, so the newest value wins.
async function request() {
  if (!field.file) return;
  again = true;
  if (busy) return;
  busy = true;
  const started = performance.now();
  while (again) {
    again = false;
    const begin = performance.now();
    try {
      const body = wish();
      const picture = await (await ask("preview", body)).blob();
      if (body.file === field.file.id) await show(picture);
      say($("#preview-time"), `Shown after ${(performance.now() - begin).toFixed(0)} ms`);
    } catch (error) { say($("#preview-time"), error.message, true); }
  }
  busy = false;
}

async function show(picture) {
  const after = $("#after"), old = after.src;
  after.src = URL.createObjectURL(picture);
  await after.decode().catch(() => {});
  if (old.startsWith("blob:")) URL.revokeObjectURL(old);
  after.dataset.shown = Number(after.dataset.shown ?? 0) + 1;
}

async function take() {
  touched.clear();
  $("#strip").hidden = true;
  $("#wipe").hidden = $("#wipe-control").hidden = false;
  const place = address(`files/${field.file.id}`);
  $("#before").src = place;
  $("#after").src = place;
  try {
    own = await askJson("units", { file: field.file.id, face: field.face });
    $("#wipe").hidden = false;
  } catch (error) { own = {}; say($("#preview-time"), error.message, true); }
  draw();
  if (Object.keys(own).length) request();
}

function set(units, others) {
  touched.clear();
  for (const { number, sides } of tables.units) {
    const value = units[nameOf(number)] ?? others;
    if (value === undefined) continue;
    const names = apart() && sides ? Object.keys(SIDES).map((side) => nameOf(number, side)) : [nameOf(number)];
    names.forEach((name) => touched.set(name, value));
  }
  draw();
  request();
}

async function save(what) {
  const links = $("#export-links");
  say($("#preview-time"), "Making the file …");
  try {
    const file = await askJson("exports", { ...wish(), what, watermark: $("#watermark-edited").checked });
    const link = make("a", { className: "button", href: `${address(`files/${file.id}`)}?save=true`, download: file.name, textContent: `Save ${file.name}` });
    links.replaceChildren(link);
    if (what === "strip") { $("#strip").src = address(`files/${file.id}`); $("#strip").hidden = false; }
    else link.click();
    say($("#preview-time"), "");
  } catch (error) { say($("#preview-time"), error.message, true); }
}

function saveValues() {
  const { editor, units, gaze } = wish();
  const text = JSON.stringify({ editor, aus: units, gaze, read: own }, null, 1);
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: "expression.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

export function start(given) {
  field = given;
  field.addEventListener("change", take);
  for (const [name, units] of Object.entries(tables.presets)) {
    const button = make("button", { type: "button", textContent: capital(name) });
    button.addEventListener("click", () => set(units, 0));
    $("#presets").append(button);
  }
  $("#randomize").addEventListener("click", async () => set(await askJson("units/random"), undefined));
  $("#reset").addEventListener("click", () => { touched.clear(); $("#wipe-range").value = 0; wipe(); draw(); request(); });
  $("#sides").addEventListener("change", () => { separate(); draw(); request(); });
  $("#editor").addEventListener("change", () => {
    $("#sides").disabled = $("#editor").value !== "morphable";
    if (!apart()) separate();
    draw();
    request();
  });
  const wipe = () => { $("#after").style.clipPath = `inset(0 0 0 ${$("#wipe-range").value}%)`; };
  $("#wipe-range").addEventListener("input", wipe);
  for (const what of ["picture", "strip", "mesh"]) $(`#export-${what}`).addEventListener("click", () => field.file && save(what));
  $("#export-values").addEventListener("click", () => field.file && saveValues());
  draw();
}
