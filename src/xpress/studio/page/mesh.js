// A mesh under second-order spherical harmonics, in WebGL.

const VERTEX = `
attribute vec3 position, normal, color;
uniform mat3 face, turn;
uniform float scale;
varying vec3 skin, direction;
void main() {
  direction = face * normal;
  skin = color;
  vec3 place = turn * (face * position) * scale;
  gl_Position = vec4(place.xy, -place.z * 0.5, 1.0);
}`;
const FRAGMENT = `
precision highp float;
varying vec3 skin, direction;
uniform vec3 light[9];
uniform int mode;
void main() {
  vec3 n = normalize(direction);
  vec3 shade = 0.282095 * light[0]
    + 0.488603 * (n.y * light[1] + n.z * light[2] + n.x * light[3])
    + 1.092548 * (n.x * n.y * light[4] + n.y * n.z * light[5] + n.x * n.z * light[7])
    + 0.315392 * (3.0 * n.z * n.z - 1.0) * light[6]
    + 0.546274 * (n.x * n.x - n.y * n.y) * light[8];
  vec3 shown = skin * shade;
  if (mode == 1) shown = skin;
  if (mode == 2) shown = 0.7 * shade;
  if (mode == 3) shown = vec3(0.62, 0.68, 0.74) * (0.35 + 0.65 * max(dot(n, normalize(vec3(0.3, 0.5, 0.8))), 0.0));
  gl_FragColor = vec4(shown, 1.0);
}`;

function program(gl) {
  const made = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made));
  gl.useProgram(made);
  return made;
}

// Rows of a rotation as WebGL's columns.
const columns = (m) => [m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]];

function turning(turn, tilt) {
  const [a, b] = [turn * Math.PI / 180, tilt * Math.PI / 180];
  const [ca, sa, cb, sb] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
  return [ca, 0, sa, sb * sa, cb, -sb * ca, -cb * sa, sb, cb * ca];
}

export class MeshView {
  constructor(canvas) {
    const gl = this.gl = canvas.getContext("webgl", { antialias: true, preserveDrawingBuffer: true });
    if (!gl) throw new Error("This browser cannot draw in three dimensions (WebGL).");
    gl.getExtension("OES_element_index_uint");
    this.program = program(gl);
    this.buffers = Object.fromEntries(["position", "normal", "color", "corners"].map((name) => [name, gl.createBuffer()]));
    [this.turn, this.tilt, this.mode, this.count] = [0, 0, 0, 0];
    gl.enable(gl.DEPTH_TEST);
  }

  // What reading.mesh_of_frame wrote.
  take(data) {
    const [vertices, triangles] = new Uint32Array(data, 0, 3);
    this.face = new Float32Array(data, 12, 9);
    this.light = new Float32Array(data, 48, 27);
    const places = new Float32Array(data, 156, 3 * vertices);
    let at = 156 + 12 * vertices;
    if (triangles) {
      this.fill("color", new Uint8Array(data, at, 4 * vertices), 4, this.gl.UNSIGNED_BYTE);
      at += 4 * vertices;
      this.corners = new Uint32Array(data, at, 3 * triangles);
      this.count = this.corners.length;
      this.gl.bindBuffer(this.gl.ELEMENT_ARRAY_BUFFER, this.buffers.corners);
      this.gl.bufferData(this.gl.ELEMENT_ARRAY_BUFFER, this.corners, this.gl.STATIC_DRAW);
      this.scale = 0.95 / places.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    }
    this.fill("position", places, 3, this.gl.FLOAT);
    this.fill("normal", this.normals(places), 3, this.gl.FLOAT);
    this.draw();
  }

  fill(name, values, size, type) {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    const place = gl.getAttribLocation(this.program, name);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, name === "color" ? 3 : size, type, type === gl.UNSIGNED_BYTE, name === "color" ? 4 : 0, 0);
  }

  normals(p) {
    const sum = new Float32Array(p.length), c = this.corners;
    for (let i = 0; i < c.length; i += 3) {
      const [x, y, z] = [3 * c[i], 3 * c[i + 1], 3 * c[i + 2]];
      const ax = p[y] - p[x], ay = p[y + 1] - p[x + 1], az = p[y + 2] - p[x + 2];
      const bx = p[z] - p[x], by = p[z + 1] - p[x + 1], bz = p[z + 2] - p[x + 2];
      const nx = ay * bz - az * by, ny = az * bx - ax * bz, nz = ax * by - ay * bx;
      for (const v of [x, y, z]) { sum[v] += nx; sum[v + 1] += ny; sum[v + 2] += nz; }
    }
    return sum;
  }

  draw() {
    if (!this.count) return;
    const { gl, program } = this, place = (name) => gl.getUniformLocation(program, name);
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniformMatrix3fv(place("face"), false, columns(this.face));
    gl.uniformMatrix3fv(place("turn"), false, columns(turning(this.turn, this.tilt)));
    gl.uniform1f(place("scale"), this.scale);
    gl.uniform3fv(place("light"), this.light);
    gl.uniform1i(place("mode"), this.mode);
    gl.drawElements(gl.TRIANGLES, this.count, gl.UNSIGNED_INT, 0);
  }
}
