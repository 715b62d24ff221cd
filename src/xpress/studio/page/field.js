// A place for one file: dropped, chosen, recorded or taken from the examples.

import { make, say } from "./elements.js";
import { address, tables, upload } from "./server.js";
import { record } from "./camera.js";

const KINDS = { photo: "photo", video: "video", recording: "recorded movement (params.npz, Live Link CSV)" };

export class FileField extends EventTarget {
  constructor(element) {
    super();
    this.element = element;
    this.kinds = element.dataset.kinds.split(" ");
    this.file = null;
    this.face = "largest";
    const title = element.dataset.title;
    this.input = make("input", { type: "file", className: "hidden-input", accept: tables.suffixes.join(","), id: `file-${element.dataset.field}` });
    this.shown = make("div", { className: "shown" });
    this.message = make("p", { className: "message", attributes: { role: "status" } });
    const bar = make("div", { className: "bar" });
    bar.append(this.input, make("label", { className: "button", htmlFor: this.input.id, textContent: "Choose a file" }));
    const example = make("button", { type: "button", textContent: "Example" });
    example.addEventListener("click", () => this.useExample());
    bar.append(example);
    if ("camera" in element.dataset) {
      const camera = make("button", { type: "button", textContent: "Camera", attributes: { "aria-label": "Record with the camera" } });
      camera.addEventListener("click", async () => {
        const clip = await record();
        if (clip) this.take(clip, "camera.webm");
      });
      bar.append(camera);
    }
    this.all = make("button", { type: "button", textContent: "All faces", hidden: true });
    this.all.addEventListener("click", () => this.choose("all"));
    bar.append(this.all);
    element.append(
      make("h2", {}, make("label", { htmlFor: this.input.id, textContent: title })), this.shown, this.message, bar);
    this.input.addEventListener("change", () => this.input.files[0] && this.take(this.input.files[0]));
    element.addEventListener("dragover", (event) => { event.preventDefault(); element.classList.add("over"); });
    element.addEventListener("dragleave", () => element.classList.remove("over"));
    element.addEventListener("drop", (event) => {
      event.preventDefault();
      element.classList.remove("over");
      const file = event.dataTransfer.files[0];
      if (file) this.take(file);
      else say(this.message, "Only files can be dropped here, not addresses. Save the picture first.", true);
    });
    this.empty();
  }

  empty() {
    const what = this.kinds.map((kind) => KINDS[kind]).join(" or ");
    this.shown.replaceChildren(make("div", { className: "placeholder", textContent: `Drop a file here: ${what}` }));
  }

  // `reading` is kept so that a button can wait for what was just dropped.
  take(file, name = file.name) {
    this.reading = this.read(file, name);
    return this.reading;
  }

  async read(file, name) {
    if (file.size > tables.megabytes * 2 ** 20) {
      say(this.message, `${name}: larger than ${tables.megabytes} MB; give a smaller file.`, true);
      return;
    }
    say(this.message, `Reading ${name} …`);
    const number = this.number = (this.number ?? 0) + 1;
    try {
      const stored = await upload(file, name);
      if (number === this.number) this.set(stored);
    } catch (error) {
      if (number === this.number) say(this.message, error.message, true);
    }
  }

  useExample() {
    this.number = (this.number ?? 0) + 1;
    this.input.value = "";
    this.set(this.example);
  }

  set(file) {
    if (!this.kinds.includes(file.kind)) {
      say(this.message, `${file.name}: choose a ${this.kinds.map((kind) => KINDS[kind]).join(" or a ")}.`, true);
      return;
    }
    this.file = file;
    this.face = "largest";
    const faces = file.faces ?? [];
    if (file.kind === "recording") {
      const length = file.seconds ? `, ${file.seconds.toFixed(1)} s` : "";
      this.shown.replaceChildren(make("div", { className: "placeholder", textContent: `A recorded movement${length}` }));
    } else if (file.kind === "video" && "plays" in this.element.dataset) this.play(file);
    else {
      this.shown.replaceChildren(make("img", { src: address(`files/${file.id}/poster`), alt: file.name }));
      if (!("plays" in this.element.dataset)) faces.forEach((box, number) => this.shown.append(this.boxOf(box, number, faces.length)));
    }
    this.all.hidden = faces.length < 2 || !("all" in this.element.dataset);
    const noFace = file.kind !== "recording" && file.faces && !faces.length;
    say(this.message, noFace ? `${file.name}: no face was found in it.` : this.told(), noFace);
    this.mark();
    this.dispatchEvent(new Event("change"));
  }

  // What the browser cannot play is shown as its first frame.
  play(file) {
    const video = make("video", { src: address(`files/${file.id}`), controls: true, loop: true, muted: true,
      playsInline: true, attributes: { "aria-label": "The movement" } });
    video.addEventListener("error", () =>
      this.shown.replaceChildren(make("img", { src: address(`files/${file.id}/poster`), alt: file.name })));
    this.shown.replaceChildren(video);
  }

  told() {
    const { file } = this;
    const size = file.width ? `, ${file.width} × ${file.height}` : "";
    const faces = file.faces?.length > 1 && !("plays" in this.element.dataset) ? `, ${file.faces.length} faces: click the one you mean` : "";
    return `${file.name}${size}${faces}`;
  }

  boxOf([left, top, width, height], number, count) {
    const box = make("button", { type: "button", className: "face",
      attributes: { "aria-label": `Face ${number + 1} of ${count}, from the left` } });
    Object.assign(box.style, { left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * width}%`, height: `${100 * height}%` });
    box.dataset.face = number;
    box.addEventListener("click", () => this.choose(number));
    return box;
  }

  choose(face) {
    this.face = face;
    this.mark();
    this.dispatchEvent(new Event("change"));
  }

  mark() {
    const faces = this.file?.faces ?? [];
    const areas = faces.map(([, , width, height]) => width * height);
    const largest = areas.indexOf(Math.max(...areas));
    for (const box of this.shown.querySelectorAll(".face")) {
      const number = Number(box.dataset.face);
      const chosen = this.face === "all" || number === (this.face === "largest" ? largest : this.face);
      box.setAttribute("aria-pressed", chosen);
    }
  }
}
