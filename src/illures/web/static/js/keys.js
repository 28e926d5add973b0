// Keys of the whole page. Single letters count only while the picture has the focus, or nothing has.

import { $ } from "./ui.js";

export function listenKeys(studio) {
  const tab = (name) => () => studio.showTab(name);
  const keys = {
    c: () => studio.compare(),
    l: tab("light"),
    b: tab("paint"),
    s: tab("save"),
    "+": () => studio.stage.zoom(1.4),
    "=": () => studio.stage.zoom(1.4),
    "-": () => studio.stage.zoom(1 / 1.4),
    0: () => studio.stage.showFace(),
    9: () => studio.stage.showAll(),
    "[": () => studio.panels.paint.resize(-4),
    "]": () => studio.panels.paint.resize(4),
  };
  for (let k = 1; k <= 7; k++) keys[k] = () => studio.views.show(k - 1);

  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || !$("busy").hidden) return;
    const typing = event.target.matches("input:not([type=range], [type=checkbox]), select, textarea");
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && studio.maps && !typing) {
      event.preventDefault();
      studio.undo(event.shiftKey ? "redo" : "undo");
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target !== document.body && !event.target.closest("#stage")) return;
    if (event.key === "?") $("help-dialog").showModal();
    else if (studio.maps) keys[event.key.toLowerCase()]?.();
  });
}
