// The container's life cycle: walks the table that `widgets/life_cycle.py` hands over.
// The markup was made in Python; this module only brings it to life.

const START = { action: "", status: "no container", exit_code: null, changed: false, answer: "" };

/** Where one action leads; the same as `_next` in life_cycle.py. */
function next(table, now, action, program) {
  const outcome = table.outcomes[now.status][action];
  if (outcome.to === null) return { ...now, action, changed: false, answer: outcome.answer };
  const exit_code =
    outcome.exit_code === "sigterm" ? table.programs[program].exit_code : outcome.exit_code;
  return { action, status: outcome.to, exit_code, changed: true, answer: outcome.answer };
}

/** Where a row of actions leads; the same as `LifeCycle.walk`. */
export function walk(table, actions, program) {
  const steps = [START];
  for (const action of actions) steps.push(next(table, steps.at(-1), action, program));
  return steps.slice(1);
}

const named = ({ status, exit_code }) => (exit_code === null ? status : `${status} (${exit_code})`);

/** The words about an action in a state; the same as `LifeCycle._told`. */
function told(table, status, action, program) {
  if (!action) {
    const happens = "The engine knows no container named web. Begin with create.";
    return { happens, python: "", shell: "", signal: "", answer: "" };
  }
  const asked = table.actions[action];
  const outcome = table.outcomes[status][action];
  const choice = table.programs[program];
  return {
    happens: outcome.happens.replace("{sigterm}", choice.happens),
    python: asked.python.replace("{python}", choice.python),
    shell: asked.shell.replace("{shell}", choice.shell),
    signal: outcome.signal.replace("{signals}", choice.signals),
    answer: outcome.answer,
  };
}

function render({ model, el }) {
  if (!el.firstElementChild) el.innerHTML = model.get("markup"); // JupyterLab gives an empty box
  const root = el.querySelector(".life-cycle");
  const table = model.get("table");
  const find = (selector) => [...root.querySelectorAll(selector)];
  const buttons = find("[data-action]");
  const edges = find(".edge").map((group) => ({
    group,
    from: group.dataset.from.split("|"),
    does: group.dataset.does.split("|"),
  }));
  const slots = Object.fromEntries(find("[data-slot]").map((slot) => [slot.dataset.slot, slot]));
  let refused = ""; // the action that was asked for last, if the engine would not do it

  const leads = (edge, status, action) => edge.from.includes(status) && edge.does.includes(action);

  function draw() {
    const history = model.get("history");
    const program = model.get("program");
    const steps = walk(table, history, program);
    const now = steps.at(-1) ?? START;
    const before = steps.at(-2) ?? START;
    const state = table.states[now.status];
    const row = table.outcomes[now.status];

    const words = refused
      ? told(table, now.status, refused, program)
      : told(table, before.status, now.action, program);
    for (const [slot, text] of Object.entries(words)) slots[slot].textContent = text || "–";
    slots.did.textContent = refused ? `${refused}: not now` : now.action || "start here";
    slots.where.textContent = refused ? `still ${named(now)}` : named(now);
    slots.listed.textContent = state.listed.replace("{code}", now.exit_code);
    root.querySelector(".card").classList.toggle("refused", refused !== "");

    for (const node of find(".node")) {
      const states = node.dataset.state.split("|");
      const here = states.includes(now.status);
      node.classList.toggle("current", here);
      node.querySelector(".name").textContent = here ? named(now) : states[0];
    }
    for (const edge of edges) {
      const taken = !refused && leads(edge, before.status, now.action);
      edge.group.classList.toggle("taken", taken);
      edge.group.classList.toggle("possible", edge.from.includes(now.status));
    }
    for (const button of buttons) {
      const outcome = row[button.dataset.action];
      button.setAttribute("aria-disabled", String(outcome.to === null));
      button.title = outcome.to === null ? reason(outcome) : "";
    }
    for (const cell of find("[data-thing]")) {
      const [mark, text] = state.keeps[cell.dataset.thing];
      cell.textContent = text;
      cell.parentElement.dataset.mark = mark;
    }
    for (const input of find('[name="program"]')) input.checked = input.value === program;
    for (const button of find("[data-undo]")) {
      button.setAttribute("aria-disabled", String(history.length === 0));
    }
    slots.history.replaceChildren(...(steps.length ? steps.map(entry) : [entry(null)]));
  }

  const reason = ({ answer, happens }) => (answer === "no request" ? happens : answer);

  function entry(step) {
    const item = document.createElement("li");
    const text = document.createElement("span");
    text.textContent = step ? `→ ${named(step)}` : "nothing yet";
    if (step) {
      const action = document.createElement("b");
      action.textContent = step.action;
      item.append(action, " ");
    }
    item.append(text);
    return item;
  }

  function act(action) {
    const history = model.get("history");
    const now = walk(table, history, model.get("program")).at(-1) ?? START;
    if (table.outcomes[now.status][action].to === null) {
      refused = action;
      draw();
    } else {
      keep([...history, action]);
    }
  }

  function keep(history) {
    refused = "";
    model.set("history", history);
    model.save_changes();
    draw(); // an equal history raises no change, and the refusal must go
  }

  /** One stop for Tab among the actions; the arrow keys move between them. */
  function focus(button) {
    for (const other of buttons) other.tabIndex = other === button ? 0 : -1;
    button.focus();
  }

  function preview(button) {
    const steps = walk(table, model.get("history"), model.get("program"));
    const { status } = steps.at(-1) ?? START;
    for (const edge of edges) {
      const hit = button !== null && leads(edge, status, button.dataset.action);
      edge.group.classList.toggle("preview", hit);
    }
  }

  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // JupyterLab has plain-key commands
  });
  const bar = root.querySelector('[role="toolbar"]');
  bar.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(event.target);
    const to = {
      ArrowRight: at + 1,
      ArrowDown: at + 1,
      ArrowLeft: at - 1,
      ArrowUp: at - 1,
      Home: 0,
      End: -1,
    }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    focus(buttons.at(to % buttons.length));
  });
  for (const button of buttons) {
    button.addEventListener("click", () => {
      focus(button);
      act(button.dataset.action);
      preview(button);
    });
    for (const event of ["focus", "pointerenter"]) {
      button.addEventListener(event, () => preview(button));
    }
    for (const event of ["blur", "pointerleave"]) {
      button.addEventListener(event, () => preview(null));
    }
  }
  root.querySelector('[data-undo="back"]').addEventListener("click", () => {
    keep(model.get("history").slice(0, -1));
  });
  root.querySelector('[data-undo="reset"]').addEventListener("click", () => keep([]));
  root.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  root.querySelector(".program").addEventListener("change", (event) => {
    model.set("program", event.target.value);
    model.save_changes();
  });

  model.on("change:history", draw);
  model.on("change:program", draw);
  draw();
  for (const fieldset of find("fieldset")) fieldset.disabled = false;
  return () => {
    model.off("change:history", draw);
    model.off("change:program", draw);
  };
}

export default { render };
