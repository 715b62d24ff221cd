// Two files in, a moved face out.

import { $, make, say } from "./elements.js";
import { address, ask, askJson, job } from "./server.js";

const still = matchMedia("(prefers-reduced-motion: reduce)");
let fields, running = null, recorded = null;

function options() {
  const regions = [...document.querySelectorAll("[name=region]")];
  const chosen = regions.filter((box) => box.checked).map((box) => box.value);
  return {
    motion: $("#motion").value,
    strength: Number($("#strength").value),
    regions: chosen.length === regions.length ? null : chosen,
    gaze: $("#gaze").value,
    head: $("#head").value,
    smoothing: $("#smoothing").checked,
    idle: $("#idle").checked,
    watermark: $("#watermark").checked,
  };
}

function view(id, ...children) { $(`#${id} .view`).replaceChildren(...children); }

function player(source, label) {
  return make("video", { src: source, controls: true, loop: true, muted: true, autoplay: !still.matches,
    playsInline: true, attributes: { "aria-label": label } });
}

function together(result) {
  const driver = $("[data-field=source] video");
  if (!driver) return;
  for (const event of ["play", "pause", "seeked", "timeupdate"]) {
    result.addEventListener(event, () => {
      if (event === "play") driver.play().catch(() => {});
      if (event === "pause") driver.pause();
      if (Math.abs(driver.currentTime - result.currentTime) > 0.08) driver.currentTime = result.currentTime;
    });
  }
}

function working(state, frame) {
  $("#move-progress").parentElement.hidden = false;
  const bar = $("#move-progress");
  if (state.total && state.done) bar.value = state.done / state.total; else bar.removeAttribute("value");
  const place = state.state === "waiting" ? `Place ${state.place} in the queue` : state.done ? "" : "Looking at the faces …";
  const count = state.done ? `Frame ${state.done}${state.total ? ` of ${state.total}` : ""}, ${(state.seconds / state.done * 1000).toFixed(0)} ms each` : "";
  $("#move-status").textContent = place || count;
  if (state.done) showFrame(frame);
}

function showFrame(place) {
  const shown = $("#result-view img.live") ?? make("img", { className: "live", alt: "The newest frame of the result" });
  if (!shown.isConnected) view("result-view", shown);
  shown.src = place;
}

async function move() {
  const { source, target } = fields;
  const message = $("#move-message");
  await Promise.all([source.reading, target.reading]);
  if (!source.file || !target.file) { say(message, "Choose a face and a movement first.", true); return; }
  if (!document.querySelector("[name=region]:checked")) { say(message, "Choose at least one part of the face that moves.", true); return; }
  say(message, "");
  running = new AbortController();
  $("#move").disabled = true;
  $("#move-cancel").hidden = false;
  $("#result-actions").hidden = true;
  const driver = source.file;
  try {
    const body = { source: driver.id, target: target.file.id, face: target.face, ...options() };
    const end = await job("reenactments", body, working, running.signal);
    if (end.state === "cancelled") { say(message, "Cancelled."); view("result-view"); }
    else finished(end.files[0], driver);
  } catch (error) { say(message, error.message, true); }
  $("#move").disabled = false;
  $("#move-cancel").hidden = true;
  $("#move-progress").parentElement.hidden = true;
}

function finished(file, driver) {
  const place = address(`files/${file.id}`);
  if (file.kind === "video") {
    const video = player(place, "The result");
    view("result-view", video);
    together(video);
  } else view("result-view", make("img", { src: place, alt: "The result" }));
  $("#save-result").href = `${place}?save=true`;
  $("#result-actions").hidden = false;
  $("#recording-link").hidden = true;
  $("#save-recording").hidden = false;
  recorded = driver;
  say($("#result-words"), file.words);
}

async function saveRecording() {
  const button = $("#save-recording"), link = $("#recording-link");
  button.disabled = true;
  try {
    let { id } = recorded;
    if (recorded.kind !== "recording") {
      const end = await job("recordings", { source: id }, (state) => say($("#result-words"), state.done ? `Reading frame ${state.done}` : "Waiting …"));
      if (end.state !== "done") return;
      id = end.files[0].id;
    }
    link.href = `${address(`files/${id}`)}?save=true`;
    link.hidden = false;
    button.hidden = true;
    say($("#result-words"), "");
    link.focus();
  } catch (error) { say($("#result-words"), error.message, true); }
  button.disabled = false;
}

async function showExample() {
  for (let attempt = 0; attempt < 400 && !running; attempt++) {
    const found = await askJson("examples").catch(() => null);
    if (found?.clip) {
      if (running) return;
      view("result-view", player(address("examples/clip"), "Example: the photograph, moved by a recorded performance"));
      say($("#move-message"), "This is the example. Drop your own face or movement, or press the button.");
      return;
    }
    const picture = still.matches ? null : await ask("examples/frame").then((answer) => answer.status === 200 && answer.blob(), () => null);
    if (picture && !running) {
      const old = $("#result-view img.live")?.src;
      showFrame(URL.createObjectURL(picture));
      if (old) URL.revokeObjectURL(old);
    }
    await new Promise((done) => setTimeout(done, 200));
  }
}

export function start(given) {
  fields = given;
  $("#strength").addEventListener("input", () => { $("#strength-value").textContent = Number($("#strength").value).toFixed(1); });
  $("#move").addEventListener("click", move);
  $("#move-cancel").addEventListener("click", () => running?.abort());
  $("#save-recording").addEventListener("click", saveRecording);
  showExample();
}
