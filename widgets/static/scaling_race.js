// The scaling race: what scaling_race.py reckons, once more, and what is said of it.
// The markup was made in Python; this module only brings it to life.

const up = (number, by) => Math.ceil(number / by);
const written = (number) => number.toLocaleString("en-US");
const had = ({ before, each }) => up(before, each);
const missing = (race) => up(race.after, race.each) - had(race);

function fare(race, steps) {
  let capacity = had(race) * race.each;
  let at = 0;
  let waiting = 0;
  for (const [second, many] of steps) {
    waiting += (race.after - capacity) * (second - at);
    capacity += many * race.each;
    at = second;
  }
  const spare = capacity - race.after;
  const drained = spare ? at + up(waiting, spare) : null;
  return { steps, fitsAfter: at, unserved: waiting, spare, drainedAfter: waiting ? drained : at };
}

/** How machines and tasks fare; the same as `run_race`. */
export function runRace(race) {
  const more = missing(race);
  const fit = Math.min(more, race.room);
  const serves = race.notice + race.task;
  const some = (steps) => fare(race, steps.filter(([, many]) => many));
  return {
    machines: some([[race.notice + race.machine, more]]),
    tasks: some([[serves, fit], [serves + race.machine, more - fit]]),
  };
}

function waitingIn(race, run, second) {
  if (second >= run.fitsAfter) {
    return Math.max(0, run.unserved - run.spare * (second - run.fitsAfter));
  }
  let capacity = had(race) * race.each;
  let at = 0;
  let waiting = 0;
  for (const [step, many] of run.steps) {
    const until = Math.min(step, second);
    waiting += (race.after - capacity) * (until - at);
    capacity += many * race.each;
    at = until;
  }
  return waiting;
}

function times(much, little) {
  const tenths = Math.floor((20 * much + little) / (2 * little));
  return `${written(Math.floor(tenths / 10))}.${tenths % 10}`;
}

function headline(race, { machines, tasks }) {
  if (!missing(race)) {
    const can = written(had(race) * race.each);
    return `Nothing has to grow: the capacity of before serves ${can} requests a second.`;
  }
  const [fast, slow] = [tasks.fitsAfter, machines.fitsAfter];
  const says =
    `Tasks fit the load after ${written(fast)} s, virtual machines after ${written(slow)} s`;
  if (fast < slow) return `${says}: ${times(slow, fast)} times as long.`;
  return `${says}: here tasks are not faster.`;
}

function says(race, { machines, tasks }) {
  const more = missing(race);
  if (!more) return [];
  const lines = [
    `Until then ${written(tasks.unserved)} requests find no capacity with tasks, and ` +
      `${written(machines.unserved)} with machines.`,
  ];
  if (!race.room) {
    lines.push("Running hosts have no room for a new task: each waits for a host to boot.");
  } else if (race.room < more) {
    lines.push(
      `Running hosts have room for ${written(race.room)} of ${written(more)} new tasks; ` +
        "the others wait for a host to boot.",
    );
  }
  if (!tasks.spare) {
    lines.push("The new capacity has nothing to spare: what waits by then goes on waiting.");
  } else {
    lines.push(
      `All that waited is served after ${written(tasks.drainedAfter)} s with tasks, and after ` +
        `${written(machines.drainedAfter)} s with machines.`,
    );
  }
  if (race.notice) {
    const [quick, slow] = [tasks, machines].map(({ fitsAfter: whole }) =>
      `${Math.floor((200 * race.notice + whole) / (2 * whole))}\u00a0%`,
    );
    lines.push(
      `Until scaling acts, ${written(race.notice)} s go by in both: ${quick} of the time that ` +
        `tasks need, ${slow} of the time that machines need.`,
    );
  }
  return lines;
}

function row({ fitsAfter, unserved, drainedAfter }) {
  const drained = drainedAfter === null ? "never" : `${written(drainedAfter)} s`;
  return [`${written(fitsAfter)} s`, written(unserved), drained];
}

function moments({ names }, race, runs) {
  const happens = new Map();
  const note = (second, words) => happens.set(second, [...(happens.get(second) ?? []), words]);
  note(0, `The load rises to ${written(race.after)} requests a second.`);
  const more = missing(race);
  const are = more === 1 ? "is" : "are";
  if (more) note(race.notice, `Scaling acts: ${written(more)} more ${are} asked for.`);
  for (const [way, run] of Object.entries(runs)) {
    for (const [second, many] of run.steps) {
      const things = many > 1 ? `${way} begin` : `${way.slice(0, -1)} begins`;
      note(second, `${written(many)} ${things} to serve.`);
    }
  }
  for (const [way, run] of Object.entries(runs)) {
    if (run.unserved && run.drainedAfter !== null) {
      note(run.drainedAfter, `${names[way]}: nothing waits any more.`);
    }
  }
  return [...happens.keys()].sort((a, b) => a - b).map((second) => [
    `${written(second)} s`,
    happens.get(second).join(" "),
    ...Object.values(runs).map((run) => written(waitingIn(race, run, second))),
  ]);
}

function drawn({ names, edges: [left, rise, right], height }, race, runs) {
  const all = Object.values(runs);
  const last = Math.max(...all.map(({ fitsAfter }) => fitsAfter));
  const end = last + Math.floor(last / 6) + 1;
  const top = Math.max(...all.map(({ spare }) => race.after + spare));
  const x = (second) => (10 * rise + Math.floor((10 * (right - rise) * second) / end)) / 10;
  const y = (requests) => (10 * height - Math.floor((10 * height * requests) / top)) / 10;
  const draw = ([way, run]) => {
    let capacity = had(race) * race.each;
    let stairs = `M${left} ${y(capacity)}`;
    let area = `M${rise} ${y(capacity)}`;
    for (const [second, many] of run.steps) {
      capacity += many * race.each;
      stairs += `H${x(second)}V${y(capacity)}`;
      area += `H${x(second)}V${y(Math.min(capacity, race.after))}`;
    }
    return [way, {
      load: `M${left} ${y(race.before)}H${rise}V${y(race.after)}H${right}`,
      capacity: `${stairs}H${right}`,
      area: `${area}H${rise}Z`,
      says: `${names[way]}: fits after ${written(run.fitsAfter)} s`,
      end: `${written(end)} s`,
    }];
  };
  return Object.fromEntries(Object.entries(runs).map(draw));
}

/** What is shown of a race; the same as `_view` in scaling_race.py. */
export function view(table, race) {
  const runs = runRace(race);
  return {
    headline: headline(race, runs),
    says: says(race, runs),
    rows: Object.fromEntries(Object.entries(runs).map(([way, run]) => [way, row(run)])),
    moments: moments(table, race, runs),
    drawn: drawn(table, race, runs),
  };
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function render({ model, el }) {
  // On the page the markup stands there already; in JupyterLab `el` is empty.
  if (!el.querySelector(".scaling-race")) el.insertAdjacentHTML("beforeend", model.get("markup"));
  const root = el.querySelector(".scaling-race");
  const form = root.querySelector("form");
  const table = model.get("table");
  const field = (name) => form.querySelector(`[name="${name}"]`);
  const slots = Object.fromEntries(
    [...root.querySelectorAll("[data-slot]")].map((slot) => [slot.dataset.slot, slot]),
  );

  function say(slot, text) {
    if (slots[slot].textContent !== text) slots[slot].textContent = text;
  }

  function line([second, ...cells]) {
    const made = element("tr", "");
    const head = element("th", second);
    head.scope = "row";
    made.append(head, ...cells.map((cell) => element("td", cell)));
    return made;
  }

  function draw() {
    const race = model.get("inputs");
    for (const name of Object.keys(table.inputs)) {
      if (field(name).value !== String(race[name])) field(name).value = race[name];
      field(name).removeAttribute("aria-invalid");
    }
    say("trouble", "");
    const seen = view(table, race);
    say("headline", seen.headline);
    slots.says.replaceChildren(...seen.says.map((text) => element("li", text)));
    slots.moments.replaceChildren(...seen.moments.map(line));
    for (const [way, paths] of Object.entries(seen.drawn)) {
      for (const part of root.querySelectorAll(`[data-way="${way}"] [data-is]`)) {
        const drawn = paths[part.dataset.is];
        if (part.tagName === "path") part.setAttribute("d", drawn);
        else part.textContent = drawn;
      }
      root.querySelectorAll(`[data-row="${way}"] td`).forEach((cell, at) => {
        cell.textContent = seen.rows[way][at];
      });
    }
  }

  /** Why a figure can't be used; "" if it can. */
  function wrong(name) {
    const { least, most, wrong: words } = table.inputs[name];
    const text = field(name).value.trim();
    const number = Number(text);
    return text && Number.isInteger(number) && number >= least && number <= most ? "" : words;
  }

  function read() {
    const race = {};
    const faults = [];
    const mark = (name, bad) => {
      if (bad) field(name).setAttribute("aria-invalid", "true");
      else field(name).removeAttribute("aria-invalid");
    };
    for (const name of Object.keys(table.inputs)) {
      race[name] = Number(field(name).value);
      mark(name, wrong(name));
      if (wrong(name)) faults.push(wrong(name));
    }
    if (!faults.length && race.after <= race.before) {
      faults.push(table.noRise);
      mark("after", true);
    }
    if (faults.length) {
      say("trouble", `${faults.join(" ")} What stands below is as before.`);
      return;
    }
    model.set("inputs", race);
    model.save_changes();
    draw(); // equal figures raise no change, and the trouble must go
  }

  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // JupyterLab has plain-key commands
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", read);

  model.on("change:inputs", draw);
  draw();
  form.querySelector("fieldset").disabled = false;
  return () => model.off("change:inputs", draw);
}

export default { render };
