// Undo and redo over everything that can be changed: entries with two functions.

export class History extends EventTarget {
  constructor() {
    super();
    this.clear();
  }

  clear() {
    this.done = [];
    this.undone = [];
    this.changed();
  }

  /** Remember a change that has been made: { label, undo(), redo() }. */
  push(entry) {
    this.done.push(entry);
    if (this.done.length > 200) this.done.shift();
    this.undone = [];
    this.changed();
  }

  undo() {
    const entry = this.done.pop();
    if (!entry) return null;
    entry.undo();
    this.undone.push(entry);
    this.changed();
    return entry.label;
  }

  redo() {
    const entry = this.undone.pop();
    if (!entry) return null;
    entry.redo();
    this.done.push(entry);
    this.changed();
    return entry.label;
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }
}
