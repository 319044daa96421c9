// Placement: the rules of placement.py once more, and what is said of them.
// The markup was made in Python; this module only brings it to life.

const ZONE = "attribute:ecs.availability-zone";
const WORDS = { cpu: "CPU", memory: "memory" };
const UNITS = { cpu: "units", memory: "MiB" };
const written = (number) => number.toLocaleString("en-US");
const sum = (numbers) => numbers.reduce((all, number) => all + number, 0);
const namesOf = (hosts) => hosts.map(({ name }) => name).join(", ");

const left = (host, field, on, needs) => host[field] - (on[host.name] ?? 0) * needs[field];

function ruleOut(hosts, on, needs, distinct) {
  const fit = [];
  const ruled = new Map();
  const out = (reason, host) => ruled.set(reason, [...(ruled.get(reason) ?? []), host]);
  for (const host of hosts) {
    const short = Object.keys(needs).filter((name) => left(host, name, on, needs) < needs[name]);
    if (short.length) out(`Not enough ${short.map((name) => WORDS[name]).join(" and ")}`, host);
    else if (distinct && on[host.name]) out("Has a task already", host);
    else fit.push(host);
  }
  return [fit, [...ruled].map(([reason, out]) => `${reason}: ${namesOf(out)}.`)];
}

function narrow(fit, [type, field], hosts, on, needs) {
  function size(host) {
    if (type === "binpack") return left(host, field, on, needs);
    const alike = field === ZONE ? hosts.filter(({ zone }) => zone === host.zone) : [host];
    return sum(alike.map(({ name }) => on[name] ?? 0));
  }
  const least = Math.min(...fit.map(size));
  const best = fit.filter((host) => size(host) === least);
  if (type === "binpack") {
    const has = `${written(least)} ${UNITS[field]}`;
    return [best, `Least ${WORDS[field]} left (${has}): ${namesOf(best)}.`];
  }
  const zones = [...new Set(best.map(({ zone }) => zone))];
  const where =
    field === ZONE ? `${zones.length > 1 ? "zones" : "zone"} ${zones.join(", ")}` : namesOf(best);
  return [best, `Fewest tasks (${least}): ${where}.`];
}

function bestHost(hosts, on, needs, steps, distinct) {
  let [fit, says] = ruleOut(hosts, on, needs, distinct);
  if (!fit.length) return [null, says.join(" ") || "There is no host."];
  if (fit.length === 1) return [fit[0].name, [...says, `Only ${fit[0].name} is left.`].join(" ")];
  const last = steps.at(-1);
  const byZone = last && last[0] === "spread" && last[1] === ZONE;
  for (const step of byZone ? [...steps, ["spread", "instanceId"]] : steps) {
    if (fit.length === 1) break;
    const [best, said] = narrow(fit, step, hosts, on, needs);
    fit = best;
    says.push(said);
  }
  if (fit.length > 1) says.push(`${fit[0].name} is the first of them.`);
  return [fit[0].name, says.join(" ")];
}

/** Place equal tasks, one after the other; the same as `place_tasks`. */
export function placeTasks(hosts, count, { cpu, memory, distinct }, steps, running = {}) {
  const on = { ...running };
  return Array.from({ length: count }, (_, index) => {
    const [host, why] = bestHost(hosts, on, { cpu, memory }, steps, distinct);
    if (host) on[host] = (on[host] ?? 0) + 1;
    return { task: index + 1, host, why };
  });
}

function hostsOf(table, { fleet }) {
  return table.fleets[fleet].map(([name, zone, cpu, memory]) => ({ name, zone, cpu, memory }));
}

/** The tasks of a request, by its own strategy or by another. */
export function place(table, request, strategy = request.strategy) {
  const { steps } = table.strategies[strategy];
  return placeTasks(hostsOf(table, request), request.tasks, request, steps);
}

/** How many tasks run on each host that has one. */
function countOn(placed) {
  const on = {};
  for (const { host } of placed) if (host) on[host] = (on[host] ?? 0) + 1;
  return on;
}

const percent = (part, whole) => Math.floor((200 * part + whole) / (2 * whole));
const share = (part, whole, things = "") =>
  whole ? `${part} of ${whole}${things} (${percent(part, whole)}\u00a0%)` : "–";

function hostView(request, host, placed, lost) {
  const numbers = placed.filter((task) => task.host === host.name).map(({ task }) => task);
  const many = numbers.length;
  const tasks = many ? `${many === 1 ? "task" : "tasks"} ${numbers.join(", ")}` : "no task";
  const use = (name) => {
    const [used, has] = [many * request[name], host[name]];
    const words = `${WORDS[name]}: ${written(used)} of ${written(has)} ${UNITS[name]}`;
    return [Math.floor((100 * used) / has), words];
  };
  return {
    name: host.name,
    zone: `zone ${host.zone}`,
    lost: host.name === lost,
    tasks: host.name === lost ? `gone, with ${tasks}` : tasks,
    used: { cpu: use("cpu"), memory: use("memory") },
  };
}

function compared(table, request, strategy, shown, lost) {
  const hosts = hostsOf(table, request);
  const on = countOn(place(table, request, strategy).slice(0, shown));
  const zones = {};
  for (const { name, zone } of hosts) zones[zone] = (zones[zone] ?? 0) + (on[name] ?? 0);
  const many = sum(Object.values(on));
  const worst = Math.max(0, ...Object.values(on));
  const cells = [
    String(many),
    String(Object.keys(on).length),
    lost ? share(on[lost] ?? 0, many) : "–",
    share(worst, many),
    share(Math.max(...Object.values(zones)), many),
  ];
  return { cells, worst, many };
}

function loss(table, request, on, lost) {
  if (!lost) return "";
  const gone = on[lost] ?? 0;
  if (!gone) return `${lost} is gone. No task ran on it.`;
  const others = hostsOf(table, request).filter(({ name }) => name !== lost);
  const { steps } = table.strategies[request.strategy];
  const found = placeTasks(others, gone, request, steps, on).filter(({ host }) => host).length;
  const part = share(gone, sum(Object.values(on)), " tasks");
  const says = `${lost} is gone, and with it ${part}.`;
  if (found === gone) return `${says} All of them find room on the other hosts.`;
  if (!found) return `${says} None of them finds room on the other hosts.`;
  return `${says} ${found} of them find room on the other hosts.`;
}

function worst(table, { strategy }, rows) {
  const mine = rows[strategy];
  if (!mine.many) return "";
  let best = strategy;
  for (const [name, row] of Object.entries(rows)) {
    if (row.many && row.worst * rows[best].many < rows[best].worst * row.many) best = name;
  }
  const most = share(mine.worst, mine.many, " tasks");
  const says = `One host takes at most ${most} with it.`;
  if (best === strategy) return `${says} No other strategy here loses less to one host.`;
  const least = share(rows[best].worst, rows[best].many);
  return `${says} With “${table.strategies[best].name}” it is ${least}.`;
}

function free(hosts, on) {
  const empty = hosts.length - Object.keys(on).length;
  if (!empty || empty === hosts.length) return "";
  return empty === 1 ? "1 host stays empty." : `${empty} hosts stay empty.`;
}

/** What is shown; the same as `_view` in placement.py. */
export function view(table, request, shown, lost) {
  const placed = place(table, request).slice(0, shown ?? request.tasks);
  const hosts = hostsOf(table, request);
  const on = countOn(placed);
  const many = sum(Object.values(on));
  const failed = placed.length - many;
  const finds = failed === 1 ? "finds" : "find";
  const { task, host, why } = placed.at(-1) ?? {};
  const rows = Object.fromEntries(
    Object.keys(table.strategies).map((name) => [
      name, compared(table, request, name, placed.length, lost),
    ]),
  );
  return {
    headline:
      `${many} of ${request.tasks} tasks are placed, on ${Object.keys(on).length} of ` +
      `${hosts.length} hosts.${failed ? ` ${failed} ${finds} no host.` : ""}`,
    last: task
      ? `Task ${task} ${host ? `goes to ${host}` : "finds no host"}. ${why}`
      : "Place the first task to see where it goes, and why.",
    hosts: hosts.map((each) => hostView(request, each, placed, lost)),
    says: [loss(table, request, on, lost), worst(table, request, rows), free(hosts, on)].filter(
      Boolean,
    ),
    rows: placed.map((each) => [each.task, each.host ?? "no host", each.why]),
    compared: Object.fromEntries(Object.entries(rows).map(([name, { cells }]) => [name, cells])),
    all: placed.length === request.tasks,
    none: placed.length === 0,
  };
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function render({ model, el }) {
  // On the page the markup stands there already; in JupyterLab `el` is empty.
  if (!el.querySelector(".placement")) el.insertAdjacentHTML("beforeend", model.get("markup"));
  const root = el.querySelector(".placement");
  const form = root.querySelector("form");
  const table = model.get("table");
  const field = (name) => form.querySelector(`[name="${name}"]`);
  const choices = ["fleet", "strategy", "cpu", "memory"];
  const cards = [...root.querySelectorAll(".hosts li")];
  const steps = Object.fromEntries(
    [...root.querySelectorAll("[data-step]")].map((button) => [button.dataset.step, button]),
  );
  const slots = Object.fromEntries(
    [...root.querySelectorAll("[data-slot]")].map((slot) => [slot.dataset.slot, slot]),
  );

  function say(slot, text) {
    if (slots[slot].textContent !== text) slots[slot].textContent = text;
  }

  function row([task, ...cells]) {
    const made = element("tr", "");
    const head = element("th", task);
    head.scope = "row";
    made.append(head, ...cells.map((cell) => element("td", cell)));
    return made;
  }

  function mark(part, name, on) {
    if (part.classList.contains(name) !== on) part.classList.toggle(name, on);
  }

  function drawHost(card, host) {
    mark(card, "lost", host.lost);
    for (const part of card.querySelectorAll("[data-is]")) part.textContent = host[part.dataset.is];
    card.querySelector("button").setAttribute("aria-pressed", String(host.lost));
    for (const [name, [full, words]] of Object.entries(host.used)) {
      const use = card.querySelector(`[data-use="${name}"]`);
      use.querySelector("i > i").style.width = `${full}%`;
      use.querySelector("span").textContent = words;
    }
  }

  function draw() {
    const request = model.get("inputs");
    const known = table.fleets[request.fleet].some(([name]) => name === model.get("lost"));
    const lost = known ? model.get("lost") : "";
    for (const name of [...choices, "tasks"]) {
      if (field(name).value !== String(request[name])) field(name).value = request[name];
    }
    field("distinct").checked = request.distinct;
    field("tasks").removeAttribute("aria-invalid");
    const seen = view(table, request, model.get("shown"), lost);
    say("headline", seen.headline);
    say("last", seen.last);
    say("lost", lost || "a lost host");
    slots.says.replaceChildren(...seen.says.map((line) => element("li", line)));
    slots.rows.replaceChildren(...seen.rows.map(row));
    cards.forEach((card, at) => drawHost(card, seen.hosts[at]));
    for (const [name, cells] of Object.entries(seen.compared)) {
      const line = root.querySelector(`[data-row="${name}"]`);
      mark(line, "chosen", name === request.strategy);
      line.querySelectorAll("td").forEach((cell, at) => {
        cell.textContent = cells[at];
      });
    }
    for (const name of ["next", "all"]) steps[name].setAttribute("aria-disabled", String(seen.all));
    steps.none.setAttribute("aria-disabled", String(seen.none));
  }

  function keep(changes) {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
  }

  function read() {
    const text = field("tasks").value.trim();
    const tasks = Number(text);
    if (!text || !Number.isInteger(tasks) || tasks < 1 || tasks > table.most) {
      field("tasks").setAttribute("aria-invalid", "true");
      say("trouble", `${table.wrong} What stands below is as before.`);
      return;
    }
    field("tasks").removeAttribute("aria-invalid");
    say("trouble", "");
    const request = { ...model.get("inputs"), tasks, distinct: field("distinct").checked };
    for (const name of choices) request[name] = field(name).value;
    for (const name of ["cpu", "memory"]) request[name] = Number(request[name]);
    const has = table.fleets[request.fleet].some(([name]) => name === model.get("lost"));
    keep({ lost: has ? model.get("lost") : "", shown: null, inputs: request });
  }

  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // JupyterLab has plain-key commands
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", read);
  for (const [name, button] of Object.entries(steps)) {
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") === "true") return;
      const next = (model.get("shown") ?? 0) + 1;
      const more = next < model.get("inputs").tasks ? next : null;
      keep({ shown: { none: 0, next: more, all: null }[name] });
    });
  }
  for (const card of cards) {
    card.querySelector("button").addEventListener("click", () => {
      const name = card.querySelector("b").textContent;
      keep({ lost: model.get("lost") === name ? "" : name });
    });
  }

  const watched = ["inputs", "shown", "lost"];
  for (const name of watched) model.on(`change:${name}`, draw);
  draw();
  for (const fieldset of form.querySelectorAll("fieldset")) fieldset.disabled = false;
  return () => {
    for (const name of watched) model.off(`change:${name}`, draw);
  };
}

export default { render };
