// The camera's pictures go out, the moved photograph comes back; what is late is dropped.

import { $, say } from "./elements.js";
import { address } from "./server.js";
import { openCamera } from "./camera.js";

const AHEAD = 2;        // pictures under way at a time: one is worked on while one travels
const SHARE = 0.1;      // of the newest one in rate and delay
const SIDE = 480;       // pixels of the longer side that is sent
let field, stream = null, socket = null;

const button = () => $("#live-start");

function stop(message = "", wrong = false) {
  socket?.close();
  stream?.getTracks().forEach((track) => track.stop());
  socket = stream = null;
  $("#live-camera").srcObject = null;
  $("#live-keys").hidden = true;
  button().textContent = "Start the camera";
  button().disabled = false;
  say($("#live-rate"), message, wrong);
}

async function begin() {
  button().disabled = true;
  say($("#live-rate"), "Starting …");
  await field.reading;
  try { stream = await openCamera(); } catch (error) { stop(error.message, true); return; }
  const camera = $("#live-camera");
  camera.srcObject = stream;
  await camera.play();
  const own = socket = new WebSocket(address("live").replace(/^/, `${location.origin.replace(/^http/, "ws")}`));
  own.binaryType = "arraybuffer";
  own.onopen = () => own.send(JSON.stringify({ target: field.file.id, face: field.face }));
  own.onclose = () => { if (socket === own) stop("The connection ended. Start again when you like."); };
  const meter = { sent: 0, lost: 0, shown: 0, skipped: 0, period: 0, delay: 0, last: 0 };
  own.onmessage = async ({ data }) => {
    if (typeof data !== "string") { await show(data, meter); return; }
    const told = JSON.parse(data);
    if (told.error) { own.onclose = null; stop(told.error, true); return; }
    say($("#live-state"), told.state);
    if (button().disabled) {
      button().disabled = false;
      button().textContent = "Stop";
      $("#live-keys").hidden = false;
      pump(own, camera, meter);
    }
  };
}

// Send each new picture of the camera, unless enough are under way.
function pump(own, camera, meter) {
  const canvas = new OffscreenCanvas(1, 1);
  const next = () => {
    if (socket !== own) return;
    if (camera.requestVideoFrameCallback) camera.requestVideoFrameCallback(send);
    else setTimeout(send, 40);
  };
  const send = async () => {
    next();
    if (own.readyState !== WebSocket.OPEN) return;
    if (meter.sent - meter.shown - meter.lost >= AHEAD) { meter.skipped++; return; }
    meter.sent++;
    const moment = performance.now() / 1000;
    const scale = Math.min(1, SIDE / Math.max(camera.videoWidth, camera.videoHeight));
    canvas.width = Math.round(camera.videoWidth * scale);
    canvas.height = Math.round(camera.videoHeight * scale);
    canvas.getContext("2d").drawImage(camera, 0, 0, canvas.width, canvas.height);
    const picture = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.8 });
    const time = new Float64Array([moment]);
    if (own.readyState === WebSocket.OPEN) own.send(new Blob([time, picture]));
  };
  next();
}

async function show(data, meter) {
  const head = new DataView(data);
  const moment = head.getFloat64(0, true), dropped = head.getUint32(8, true), seen = head.getUint8(12);
  meter.lost = dropped;
  const picture = await createImageBitmap(new Blob([new Uint8Array(data, 13)], { type: "image/jpeg" }));
  const canvas = $("#live-result");
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    [canvas.width, canvas.height] = [picture.width, picture.height];
  }
  canvas.getContext("2d").drawImage(picture, 0, 0);
  picture.close();
  const now = performance.now() / 1000;
  const share = meter.shown > 1 ? SHARE : 1;
  meter.delay += (now - moment - meter.delay) * share;
  if (meter.last) meter.period += (now - meter.last - meter.period) * share;
  meter.last = now;
  meter.shown++;
  const rate = meter.period ? 1 / meter.period : 0;
  Object.assign(canvas.dataset, { shown: meter.shown, rate: rate.toFixed(1), delay: (meter.delay * 1000).toFixed(0) });
  if (meter.shown % 5 === 0) {
    say($("#live-rate"), `${rate.toFixed(0)} pictures a second, ${(meter.delay * 1000).toFixed(0)} ms late, ` +
      `${meter.skipped + dropped} dropped${seen ? "" : ". No face is seen."}`);
  }
}

export function start(given) {
  field = given;
  field.addEventListener("change", async () => {
    if (socket) stop("Another face was chosen. Start again when you like.");
    const image = new Image();
    image.src = address(`files/${field.file.id}/poster`);
    await image.decode().catch(() => {});
    const canvas = $("#live-result");
    if (socket || !image.naturalWidth) return;
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    canvas.getContext("2d").drawImage(image, 0, 0);
  });
  button().addEventListener("click", () => (socket ? stop() : begin()));
  for (const key of document.querySelectorAll("[data-key]")) {
    key.addEventListener("click", () => socket?.send(key.dataset.key));
  }
  addEventListener("tab", ({ detail }) => { if (detail !== "live" && socket) stop(); });
}
