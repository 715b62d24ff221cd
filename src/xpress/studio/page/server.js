// The session with the server, and what goes to it and comes back.

export const tables = {};
let token = "";

export const address = (path) => `/api/${token}/${path}`;

async function answered(response) {
  if (response.ok) return response;
  let told = "The server does not answer as expected. Is it still running?";
  try { told = (await response.json()).error ?? told; } catch { /* no sentence of its own */ }
  throw new Error(told);
}

export async function ask(path, body, options = {}) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  const method = body === undefined ? "GET" : "POST";
  let response;
  try {
    response = await fetch(address(path), { method, headers, body: body && JSON.stringify(body), ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server cannot be reached. Is it still running?");
  }
  return answered(response);
}

export const askJson = async (...given) => (await ask(...given)).json();

export async function upload(file, name) {
  const response = await fetch(address(`files?name=${encodeURIComponent(name)}`), { method: "POST", body: file });
  return (await answered(response)).json();
}

export async function open() {
  const response = await answered(await fetch("/api/open", { method: "POST" }));
  Object.assign(tables, await response.json());
  token = tables.token;
  addEventListener("pagehide", () => navigator.sendBeacon(address("close")));
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  setInterval(() => ask("stay", {}).catch(() => {}), 60_000);
}

// Start work and tell of it until it ends; gives what the server says at the end.
export async function job(path, body, told, signal) {
  let state = await askJson(path, body);
  const id = state.id;
  const cancel = () => ask(`jobs/${id}`, undefined, { method: "DELETE" }).catch(() => {});
  signal?.addEventListener("abort", cancel);
  while (state.state === "waiting" || state.state === "working") {
    told(state, address(`jobs/${id}/frame?${state.done}`));
    await new Promise((done) => setTimeout(done, 200));
    state = await askJson(`jobs/${id}`);
  }
  signal?.removeEventListener("abort", cancel);
  if (state.state === "failed") throw new Error(state.message);
  return state;
}
