// A short recording with the browser's camera.

import { $, say } from "./elements.js";

const LONGEST = 20_000;

export async function openCamera() {
  if (!navigator.mediaDevices) throw new Error("Cameras work on localhost and over HTTPS only.");
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, facingMode: "user" } });
  } catch (error) {
    throw new Error(error.name === "NotAllowedError" ? "The browser was not allowed to use the camera." : "No camera was found.");
  }
}

export function record() {
  const dialog = $("#camera"), view = $("#camera-view"), button = $("#camera-record"), message = $("#camera-message");
  return new Promise((resolve) => {
    let stream, recorder, timer, clip = null;
    const parts = [];
    const stop = () => { clearTimeout(timer); if (recorder?.state === "recording") recorder.stop(); };
    button.textContent = "Record";
    button.disabled = true;
    say(message, "Look into the camera with a resting face first.");
    button.onclick = () => {
      if (recorder) { stop(); return; }
      recorder = new MediaRecorder(stream, { mimeType: "video/webm" });
      recorder.ondataavailable = (event) => parts.push(event.data);
      recorder.onstop = () => { clip = new Blob(parts, { type: "video/webm" }); dialog.close(); };
      recorder.start();
      timer = setTimeout(stop, LONGEST);
      button.textContent = "Stop";
      say(message, "Recording. It stops by itself after 20 seconds.");
    };
    dialog.onclose = () => {
      stop();
      stream?.getTracks().forEach((track) => track.stop());
      view.srcObject = null;
      resolve(clip);
    };
    dialog.showModal();
    openCamera().then((opened) => {
      stream = opened;
      view.srcObject = opened;
      view.play();
      button.disabled = false;
    }, (error) => say(message, error.message, true));
  });
}
