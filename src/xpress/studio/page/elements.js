// Small helpers for elements.

export const $ = (selector, root = document) => root.querySelector(selector);

export function make(name, { attributes = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function say(element, text, wrong = false) {
  element.textContent = text;
  element.classList.toggle("wrong", wrong);
}

// A button that explains the thing it stands beside.
let hints = 0;
export function hint(text, about) {
  const id = `hint-${++hints}`;
  const button = make("button", { type: "button", className: "hint", title: text, textContent: "?",
    attributes: { popovertarget: id, "aria-label": `About: ${about}` } });
  const box = make("div", { id, textContent: text, attributes: { popover: "auto", role: "note" } });
  return [button, box];
}

export function addHints(root) {
  for (const element of root.querySelectorAll("[data-hint]")) {
    const own = element.querySelector("legend") ?? element;
    const about = [...own.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent.trim()).find(Boolean) ?? "";
    const parts = hint(element.dataset.hint, about);
    if (element.tagName === "FIELDSET") own.append(...parts);
    else {
      const both = make("div", { className: element.matches("label:not(.check)") ? "hinted wide" : "hinted" });
      element.before(both);
      both.append(element, ...parts);
    }
  }
}
