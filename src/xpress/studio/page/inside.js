// What was read of a face: landmarks, mesh, skin and light, and muscles over time.

import { $, hint, make, say } from "./elements.js";
import { address, ask, askJson, job, tables } from "./server.js";
import { MeshView } from "./mesh.js";
import { PLAIN } from "./words.js";

let field, viewer, read = null, running = null, drawing = false, wanted = null;

function bars() {
  const rows = tables.units.map(({ number, name }, unit) => {
    const label = `${String(number).padStart(2, "0")} ${name[0].toUpperCase()}${name.slice(1)}`;
    const series = read.units.map((frame) => frame[unit]);
    const meter = make("meter", { min: 0, max: 1, value: series[0], attributes: { "aria-label": label } });
    const output = make("output", { textContent: series[0].toFixed(2) });
    const row = make("div", { className: "slider bar-row" }, make("span", { textContent: label }), ...hint(PLAIN[number], label));
    if (series.length > 1) {
      const most = Math.max(...series), at = series.indexOf(most) / read.fps;
      const chart = make("canvas", { width: 240, height: 24,
        attributes: { role: "img", "aria-label": `${label} over time, at most ${most.toFixed(2)} after ${at.toFixed(1)} s` } });
      row.append(chart);
      requestAnimationFrame(() => plot(chart, series));
    } else row.append(meter);
    row.append(output);
    return { row, series, output, meter };
  });
  $("#bars").replaceChildren(...rows.map(({ row }) => row));
  return rows;
}

function plot(canvas, series) {
  const context = canvas.getContext("2d"), width = canvas.width / series.length;
  context.fillStyle = getComputedStyle(canvas).color;
  series.forEach((value, number) => {
    const height = Math.max(value * canvas.height, 0.5);
    context.fillRect(number * width, canvas.height - height, Math.max(width - 0.3, 0.5), height);
  });
}

async function showMesh(frame) {
  wanted = frame;
  if (drawing || !viewer) return;
  drawing = true;
  while (wanted !== null) {
    const number = wanted;
    wanted = null;
    const whole = !viewer.count || read.fresh;
    read.fresh = false;
    try {
      viewer.take(await (await ask(`looks/${read.id}/mesh?frame=${number}&whole=${whole}`)).arrayBuffer());
      $("#mesh").dataset.shown = number;
    } catch (error) { say($("#look-message"), error.message, true); }
  }
  drawing = false;
}

function go(frame) {
  const time = frame / read.fps;
  $("#moment-value").textContent = `${time.toFixed(2)} s`;
  for (const { series, output, meter } of read.rows) {
    meter.value = series[frame];
    output.textContent = series[frame].toFixed(2);
  }
  showMesh(frame);
}

function showOverlay(file) {
  const place = address(`files/${file.id}`);
  if (file.kind === "photo") {
    $("#inside-overlay").replaceChildren(make("img", { src: place, alt: "The face with its landmarks and mesh" }));
    return;
  }
  const video = make("video", { src: place, controls: true, muted: true, playsInline: true, loop: true,
    attributes: { "aria-label": "The face with its landmarks and mesh" } });
  $("#inside-overlay").replaceChildren(video);
  video.addEventListener("timeupdate", () => {
    const frame = Math.min(Math.round(video.currentTime * read.fps), read.units.length - 1);
    if (document.activeElement === $("#moment") && video.paused) return;
    $("#moment").value = frame;
    go(frame);
  });
}

async function look() {
  const message = $("#look-message");
  await field.reading;
  if (!field.file) { say(message, "Choose a photo or video first.", true); return; }
  running = new AbortController();
  $("#look").disabled = true;
  $("#look-cancel").hidden = false;
  const told = (state) => say(message, state.state === "waiting" ? `Place ${state.place} in the queue` :
    state.done ? `Frame ${state.done}${state.total ? ` of ${state.total}` : ""}` : "Looking …");
  try {
    const end = await job("looks", { file: field.file.id, face: field.face === "all" ? "largest" : field.face }, told, running.signal);
    if (end.state === "cancelled") say(message, "Cancelled.");
    else await finished(end.files);
  } catch (error) { say(message, error.message, true); }
  $("#look").disabled = false;
  $("#look-cancel").hidden = true;
}

async function finished(files) {
  const named = Object.fromEntries(files.map((file) => [file.name, file]));
  const { id } = named["params.npz"];
  read = { id, fresh: true, ...(await askJson(`looks/${id}/values`)) };
  read.rows = bars();
  showOverlay(named["overlay.mp4"] ?? named["overlay.png"]);
  $("#moment").max = read.units.length - 1;
  $("#moment").value = 0;
  $("#moment-control").hidden = read.units.length < 2;
  $("#look-links").replaceChildren(...files.map((file) => make("a", { className: "button", download: file.name,
    href: `${address(`files/${file.id}`)}?save=true`, textContent: `Save ${file.name}` })));
  say($("#look-message"), read.units.length > 1 ? `${read.units.length} frames` : "");
  await showMesh(0);
}

export function start(given) {
  field = given;
  try { viewer = new MeshView($("#mesh")); } catch (error) { say($("#look-message"), error.message, true); }
  $("#look").addEventListener("click", look);
  $("#look-cancel").addEventListener("click", () => running?.abort());
  $("#moment").addEventListener("input", () => {
    const frame = Number($("#moment").value), video = $("#inside-overlay video");
    if (video) { video.pause(); video.currentTime = frame / read.fps; }
    go(frame);
  });
  const turn = () => {
    if (!viewer) return;
    Object.assign(viewer, { turn: Number($("#mesh-turn").value), tilt: Number($("#mesh-tilt").value), mode: Number($("#mesh-mode").value) });
    viewer.draw();
  };
  for (const id of ["mesh-turn", "mesh-tilt", "mesh-mode"]) $(`#${id}`).addEventListener("input", turn);
  const canvas = $("#mesh");
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    $("#mesh-turn").value = Number($("#mesh-turn").value) + event.movementX / 2;
    $("#mesh-tilt").value = Number($("#mesh-tilt").value) + event.movementY / 2;
    turn();
  });
}
