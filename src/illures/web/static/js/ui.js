// Small parts of the page that know nothing of faces and light.

export const $ = (id) => document.getElementById(id);

/** Make an element: make("button", { className: "small" }, "text", child). */
export function make(tag, fields = {}, ...children) {
  const { attributes = {}, ...rest } = fields;
  const element = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Say something to screen readers. */
export function say(words) {
  $("status").textContent = "";
  requestAnimationFrame(() => { $("status").textContent = words; });
}

/** Show a message; errors stay until they are closed. */
export function toast(words, bad = false) {
  const close = make("button", { attributes: { "aria-label": "Close this message" } });
  close.innerHTML = '<svg><use href="#i-close"/></svg>';
  const box = make("div", { className: bad ? "toast bad" : "toast" }, make("p", { textContent: words }), close);
  close.addEventListener("click", () => box.remove());
  $("toasts").append(box);
  while ($("toasts").children.length > 3) $("toasts").firstChild.remove();
  setTimeout(() => box.remove(), bad ? 15000 : 5000);
}

let busyDepth = 0;

/** Run work with the page covered and a line of words; failures become messages. Returns undefined then. */
export async function busy(words, work) {
  busyDepth++;
  $("busy-text").textContent = words;
  $("busy").hidden = false;
  try {
    return await work((next) => { $("busy-text").textContent = next; });
  } catch (error) {
    toast(error.message, true);
    return undefined;
  } finally {
    if (--busyDepth === 0) $("busy").hidden = true;
  }
}

/** A range input with its <output> before it; format(value) gives the words. Returns set(value). */
export function slider(id, format, onInput) {
  const input = $(id);
  const output = input.parentElement.querySelector("output");
  const show = () => {
    output.textContent = format(+input.value);
    input.setAttribute("aria-valuetext", output.textContent);
    input.style.setProperty("--fill", `${(100 * (input.value - input.min)) / (input.max - input.min)}%`);
  };
  input.addEventListener("input", () => {
    show();
    onInput(+input.value);
  });
  show();
  return (value) => {
    if (document.activeElement !== input || Math.abs(+input.value - value) > +input.step) input.value = value;
    show();
  };
}

/** Buttons of which one is chosen, with arrow keys between them. Each has role=radio; choose(button) marks one. */
export function radios(group, onChoose) {
  const items = () => [...group.querySelectorAll('[role="radio"]')];
  const choose = (chosen) => {
    for (const item of items()) {
      item.setAttribute("aria-checked", String(item === chosen));
      item.tabIndex = item === chosen || (!chosen && item === items()[0]) ? 0 : -1;
    }
  };
  group.addEventListener("click", (event) => {
    const item = event.target.closest('[role="radio"]');
    if (!item) return;
    choose(item);
    onChoose(item);
  });
  arrows(group, items, (item) => item.click());
  return choose;
}

/** Arrow keys, Home and End move the focus within a group. */
export function arrows(group, items, onMove) {
  group.addEventListener("keydown", (event) => {
    const all = items();
    const here = all.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (here < 0 || (!step && event.key !== "Home" && event.key !== "End")) return;
    event.preventDefault();
    event.stopPropagation();
    const next = step ? all[(here + step + all.length) % all.length] : all.at(event.key === "Home" ? 0 : -1);
    next.focus();
    onMove(next);
  });
}

/** Tabs with their pages; returns show(name). */
export function tabs(list, onShow) {
  const all = [...list.querySelectorAll('[role="tab"]')];
  const show = (tab) => {
    for (const other of all) {
      other.setAttribute("aria-selected", String(other === tab));
      other.tabIndex = other === tab ? 0 : -1;
      $(other.getAttribute("aria-controls")).hidden = other !== tab;
    }
    onShow(tab.id.replace("tab-", ""));
  };
  all.forEach((tab) => tab.addEventListener("click", () => show(tab)));
  arrows(list, () => all, show);
  return (name) => show($(`tab-${name}`));
}

/** Call `work` once nothing has happened for a while. */
export function settled(work, milliseconds) {
  let timer = 0;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(work, milliseconds);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

/** Hand a file to the user. */
export function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/** Light, dark, or as the system; remembered. */
export function theme(button, onChange) {
  const order = ["auto", "light", "dark"];
  const words = { auto: "as the system", light: "light", dark: "dark" };
  const apply = (name) => {
    document.documentElement.dataset.theme = name;
    button.setAttribute("aria-label", `Colours: ${words[name]}`);
    button.title = `Colours: ${words[name]}`;
    onChange();
  };
  let now = localStorage.getItem("theme");
  if (!order.includes(now)) now = "auto";
  button.addEventListener("click", () => {
    now = order[(order.indexOf(now) + 1) % order.length];
    localStorage.setItem("theme", now);
    apply(now);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
  apply(now);
}
