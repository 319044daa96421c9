// The layers of an image: what a build reuses, and what a container writes on top.
// The markup was made in Python; this module only brings it to life.

/** Which steps run again: all from the first change on; the same as `rebuilt` in image_layers.py. */
export function rebuilt(instructions, changed) {
  const first = instructions.findIndex((line) => changed.includes(line));
  return instructions.map((_, at) => first >= 0 && at >= first);
}

/** What the writable layer holds; the same as `diff` in image_layers.py. */
export function diff(written) {
  const marks = {};
  for (const [path, what] of Object.entries(written)) {
    const parts = path.split("/");
    for (let n = 2; n < parts.length; n += 1) marks[parts.slice(0, n).join("/")] ??= "C";
    marks[path] = what[0].toUpperCase();
  }
  return Object.keys(marks).sort().map((path) => `${marks[path]} ${path}`);
}

const megabytes = (tenths) => (tenths ? `${(tenths / 10).toFixed(1)} MB` : "under 0.1 MB");

/** How many steps an order rebuilds, and how much; the same as `_figures`. */
export function figures(table, order, changed) {
  const marks = rebuilt(order, table.changes[changed].lines);
  const again = order.filter((_, at) => marks[at]);
  const files = again.filter((line) => line && table.lines[line].files);
  const size = files.reduce((sum, line) => sum + table.lines[line].size, 0);
  const cost = files.length ? megabytes(size) : "0 bytes";
  return {
    steps: `${again.length} of ${order.length}`,
    cost: cost + (again.includes(0) ? " and the base" : ""),
  };
}

/** What the next build does, in a sentence; the same as `_verdict`. */
export function verdict(table, order, changed) {
  const { kind, label, lines } = table.changes[changed];
  if (!kind) {
    return "Nothing has changed: every step is reused. " +
      "A RUN is not run again either, whatever it would fetch today.";
  }
  const first = rebuilt(order, lines).indexOf(true) + 1;
  const { steps, cost } = figures(table, order, changed);
  const what = kind === "step" ? `the line ${label}` : label;
  return `When ${what} changes, step ${first} and all after it are rebuilt: ${steps}, ${cost}.`;
}

/** Why two neighbours must stay in order; "" if they need not. */
export function reason(table, above, below) {
  const fixed = table.keeps.find(([first, second]) => first === above && second === below);
  return fixed ? table.reasons[fixed[2]] : "";
}

function render({ model, el }) {
  if (!el.firstElementChild) el.innerHTML = model.get("markup"); // JupyterLab gives an empty box
  const root = el.querySelector(".image-layers");
  const table = model.get("table");
  const find = (selector) => [...root.querySelectorAll(selector)];
  const slots = Object.fromEntries(find("[data-slot]").map((slot) => [slot.dataset.slot, slot]));
  const rows = find("[data-line]");
  const rowOf = (line) => rows.find((row) => Number(row.dataset.line) === line);
  const refusal = root.querySelector(".why");
  const select = root.querySelector("select");
  const layers = find("[data-layer]");
  const writable = root.querySelector(".writable");
  let readFrom = null; // the layer that the last read came from: "container" or a line
  let happens = slots.happens.textContent;

  const order = () => model.get("order").map((number) => number - 1);
  const file = () => table.files[root.querySelector('[name="file"]:checked').value];

  function keep(name, value) {
    model.set(name, value);
    model.save_changes();
  }

  /** Why a line can't move up (-1) or down (1); "" if it can. */
  function stuck(line, by) {
    const lines = order();
    const other = lines[lines.indexOf(line) + by];
    if (other === undefined) return by < 0 ? "It is the first." : "It is the last.";
    return by < 0 ? reason(table, other, line) : reason(table, line, other);
  }

  /** Says under a row why it stays. What is announced stands elsewhere, and is always there. */
  function refuse(row, why) {
    refusal.firstElementChild.textContent = why;
    refusal.hidden = false;
    row.after(refusal);
    refusal.scrollIntoView({ block: "nearest" });
    slots.heard.textContent = `Step ${row.querySelector(".step").textContent} stays. ${why}`;
  }

  function hush() {
    refusal.hidden = true;
    refusal.firstElementChild.textContent = "";
    const body = refusal.parentElement;
    if (body.lastElementChild !== refusal) body.append(refusal);
    slots.heard.textContent = "";
  }

  function drawBuild() {
    const lines = order();
    const changed = model.get("changed");
    const change = table.changes[changed];
    const marks = rebuilt(lines, change.lines);
    select.value = changed;
    slots.verdict.textContent = verdict(table, lines, changed);
    lines.forEach((line, at) => {
      const row = rowOf(line);
      const state = change.lines.includes(line) ? "changed" : marks[at] ? "rebuilt" : "reused";
      row.dataset.state = state;
      row.querySelector(".state").textContent = state;
      row.querySelector(".step").textContent = at + 1;
      for (const button of row.querySelectorAll("[data-move]")) {
        button.title = stuck(line, Number(button.dataset.move));
        button.setAttribute("aria-disabled", String(button.title !== ""));
      }
    });
    const orders = { written: table.lines.map((_, line) => line), now: lines, best: change.best };
    for (const [name, each] of Object.entries(orders)) {
      const row = root.querySelector(`[data-order="${name}"]`);
      for (const [figure, text] of Object.entries(figures(table, each, changed))) {
        row.querySelector(`[data-figure="${figure}"]`).textContent = text;
      }
    }
    arrange(rows, lines);
    hush();
    arrange(layers, [...lines].reverse());
    for (const row of layers) {
      row.querySelector(".step").textContent = lines.indexOf(Number(row.dataset.layer)) + 1;
    }
  }

  /** Puts rows into an order, and moves none that is in its place: a moved one loses the focus. */
  function arrange(all, lines) {
    const body = all[0].parentElement;
    const at = (row) => lines.indexOf(Number(row.dataset.line ?? row.dataset.layer));
    const wanted = [...all].sort((a, b) => at(a) - at(b));
    const active = document.activeElement;
    if (wanted.some((row, i) => row !== body.querySelectorAll("[data-line], [data-layer]")[i])) {
      body.append(...wanted);
      if (body.contains(active)) active.focus();
    }
  }

  function drawRun() {
    const written = model.get("container");
    const { path, line } = file();
    const mark = written?.[path];
    slots.happens.textContent = happens;
    slots.file.textContent = path;
    slots.diff.textContent = written ? diff(written).join("\n") || "nothing" : "no container";
    writable.dataset.there = written ? "yes" : "no";
    const words = { changed: "its own copy", added: "the new file", deleted: "a whiteout" };
    writable.lastElementChild.textContent = written ? words[mark] ?? "–" : "no container";
    writable.classList.toggle("read", readFrom === "container");
    for (const row of layers) {
      const has = Number(row.dataset.layer) === line;
      row.lastElementChild.textContent = has ? (mark ? "has it, hidden" : "has it") : "–";
      row.classList.toggle("read", readFrom === Number(row.dataset.layer));
    }
    for (const button of find("[data-act]")) {
      const idle = (button.dataset.act === "run") === (written !== null);
      button.setAttribute("aria-disabled", String(idle));
    }
  }

  /** Does one thing to the container, and says what happened. */
  function act(name) {
    const written = model.get("container");
    const { path, line } = file();
    const mark = written?.[path];
    const there = mark ? mark !== "deleted" : line !== null;
    readFrom = null;
    let next = written;
    if (name === "run") {
      if (written) happens = "It runs already.";
      else {
        next = {};
        happens = "The same layers, none copied, and an empty writable layer on top.";
      }
    } else if (!written) happens = "There is no container: run one first.";
    else if (name === "remove") {
      next = null;
      happens = "The writable layer is deleted with all that was in it. The image is as it was.";
    } else if (name === "change") {
      next = { ...written, [path]: line === null ? "added" : "changed" };
      happens = !there
        ? "The new file is written into the writable layer."
        : mark
          ? "The copy in the writable layer is changed. Nothing is copied again."
          : "The whole file is first copied up into the writable layer, then changed there. " +
            "The image keeps its own.";
    } else if (!there) happens = "No such file." + (mark ? " A whiteout hides the image's." : "");
    else if (name === "read") {
      readFrom = mark ? "container" : line;
      happens = mark
        ? "It is read from the writable layer. What lies below is not looked at."
        : "No layer above has it, so the read falls through to step " +
          `${order().indexOf(line) + 1}. Nothing is copied.`;
    } else {
      const { [path]: _, ...others } = written;
      next = line === null ? others : { ...others, [path]: "deleted" };
      happens = line === null
        ? "It was in the writable layer alone: nothing is left of it."
        : "A whiteout in the writable layer, a mark for a deleted file, hides it. " +
          "It is still in the image, which gets no smaller.";
    }
    if (next !== written) keep("container", next);
    drawRun();
  }

  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // JupyterLab has plain-key commands
  });
  root.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  select.addEventListener("change", () => keep("changed", select.value));
  for (const row of rows) {
    const line = Number(row.dataset.line);
    for (const button of row.querySelectorAll("[data-move]")) {
      button.addEventListener("click", () => {
        const by = Number(button.dataset.move);
        const why = stuck(line, by);
        if (why) {
          refuse(row, why);
          return;
        }
        const lines = order();
        const at = lines.indexOf(line);
        [lines[at], lines[at + by]] = [lines[at + by], lines[at]];
        keep("order", lines.map((each) => each + 1));
      });
    }
  }
  for (const button of find("[data-show]")) {
    button.addEventListener("click", () => {
      const { best } = table.changes[model.get("changed")];
      const lines = button.dataset.show === "best" ? best : table.lines.map((_, line) => line);
      keep("order", lines.map((line) => line + 1));
      drawBuild(); // an equal order raises no change, and a refusal must go
    });
  }
  for (const button of find("[data-act]")) {
    button.addEventListener("click", () => act(button.dataset.act));
  }
  root.querySelector(".files").addEventListener("change", () => {
    readFrom = null;
    drawRun();
  });

  const heard = { changed: drawBuild, order: drawBuild, container: drawRun };
  for (const [name, call] of Object.entries(heard)) model.on(`change:${name}`, call);
  drawBuild();
  drawRun();
  for (const fieldset of find("fieldset")) fieldset.disabled = false;
  return () => {
    for (const [name, call] of Object.entries(heard)) model.off(`change:${name}`, call);
  };
}

export default { render };
