// Brings the widgets of a page to life, with no kernel: each [data-anywidget] gets the same ES
// module that JupyterLab runs, and a model filled from the JSON block that stands inside it.

function makeModel(state) {
  const listeners = new Map();
  return {
    get: (name) => state[name],
    set(name, value) {
      state[name] = value;
      for (const call of listeners.get(`change:${name}`) ?? []) call();
    },
    on: (event, call) => listeners.set(event, [...(listeners.get(event) ?? []), call]),
    off: (event, call) =>
      listeners.set(event, (listeners.get(event) ?? []).filter((known) => call && known !== call)),
    save_changes() {}, // there is no kernel to tell
  };
}

async function wake(el) {
  try {
    const block = el.querySelector(':scope > script[type="application/json"]');
    const address = new URL(`./${el.dataset.anywidget}.js`, import.meta.url);
    const { default: widget } = await import(address);
    await new Promise((done) => setTimeout(done)); // a task for each, so that none is long
    await widget.render({ model: makeModel(JSON.parse(block.textContent)), el });
    el.dataset.ready = "yes";
  } catch (error) {
    console.error(`The widget ${el.dataset.anywidget} did not start.`, error);
    el.dataset.ready = "failed";
    const note = document.createElement("p");
    note.setAttribute("role", "status");
    note.textContent = "This widget did not start. What it tells can still be read below it.";
    el.prepend(note);
  }
}

document.querySelectorAll("[data-anywidget]").forEach(wake);
