// The cost crossover: the sums of facts/costs.py once more, to the cent, and what is said of them.
// The markup was made in Python; this module only brings it to life.

const PLAIN = "fargate";
const PAIRED = ["ec2", "managed-instances"];
const up = (number, by) => Math.ceil(number / by);
const cents = (dollars) => Math.floor(dollars * 100 + 0.5);
const total = (lines) => Object.values(lines).reduce((sum, line) => sum + line, 0);

/** How many hosts the tasks need; 0 if one task is larger than a host. */
function hostsOf({ host, zones }, { tasks, vcpu, memory, full }) {
  const need = [[vcpu, host.vcpu], [memory, host.memory]];
  const [cpu, room] = need.map(([each, most]) => [Math.round(each * 1024), most * 1024]);
  const onOne = Math.min(Math.floor(cpu[1] / cpu[0]), Math.floor(room[1] / room[0]));
  if (!onOne) return 0;
  const filled = [cpu, room].map(([each, most]) => up(tasks * each * 100, most * full));
  return Math.max(...filled, up(tasks, onOne), Math.min(tasks, zones));
}

// The same steps in the same order as `_lines` in costs.py, so that both round the same numbers.
function linesOf(table, service, way, hosts, discount) {
  const { prices: price, month: always } = table;
  const month = (always * service.hours) / 24;
  const ofATask =
    service.vcpu * price["fargate-x86-vcpu-hour"] + service.memory * price["fargate-x86-gb-hour"];
  const anHour = hosts ? hosts * price[table.host.price] : service.tasks * ofATask;
  const paid = way.committed ? always : month;
  const addresses = hosts || service.tasks;
  const balancer = price["alb-hour"] + table.units * price["alb-lcu-hour"];
  const gateway = price["nat-gateway-hour"] + price["public-ipv4-hour"];
  const network =
    service.network === "nat"
      ? table.zones * gateway * always + service.logs * price["nat-gateway-gb"]
      : addresses * price["public-ipv4-hour"] * month;
  const disks = (hosts * table.disk * price["ebs-gp3-gb-month"] * month) / always;
  return {
    compute: cents((anHour * paid * (100 - discount)) / 100),
    fee: way.fee ? cents(hosts * price[way.fee] * month) : 0,
    disk: cents(disks),
    balancer: cents((balancer + table.zones * price["public-ipv4-hour"]) * always),
    network: cents(network),
    logs: cents(service.logs * (price["logs-in-gb"] + price["logs-kept-gb-month"])),
  };
}

function costOf(table, service, name) {
  const way = table.ways[name];
  const hosts = way.host ? hostsOf(table, service) : 0;
  if (way.host && !hosts) {
    const out = `One task is larger than a ${table.host.type}.`;
    return { way: name, lines: {}, most: {}, hosts, out };
  }
  const lines = linesOf(table, service, way, hosts, way.upTo);
  const most = linesOf(table, service, way, hosts, 0);
  return { way: name, lines, most, hosts, out: "" };
}

/** What each way costs a month, in cents; the same as `monthly_cost`. */
export function monthlyCost(table, service) {
  return Object.keys(table.ways).map((way) => costOf(table, service, way));
}

function cheapestOf(table, costs) {
  const priced = costs.filter(({ way, out }) => !table.ways[way].upTo && !out);
  return priced.reduce((best, cost) => (total(cost.lines) < total(best.lines) ? cost : best));
}

function cheaperFrom(table, service, way, by) {
  const { least, most } = table.inputs[by];
  let at = null;
  for (let value = most; value >= least; value -= 1) {
    const tried = { ...service, [by]: value };
    const cost = costOf(table, tried, way);
    if (cost.out || total(cost.lines) >= total(costOf(table, tried, PLAIN).lines)) break;
    at = value;
  }
  return at;
}

function discountFrom(table, service, cost, than) {
  const goal = total(than.lines);
  if (cost.out || total(cost.lines) >= goal) return null;
  const way = table.ways[cost.way];
  let discount = 0;
  while (total(linesOf(table, service, way, cost.hosts, discount)) >= goal) discount += 1;
  return discount;
}

/** Where one way gets cheaper than another, by trying every value; the same as `crossings`. */
export function crossings(table, service, costs = monthlyCost(table, service)) {
  const found = PAIRED.flatMap((way) =>
    ["full", "tasks"].map((by) => ({
      way, than: PLAIN, by, at: cheaperFrom(table, service, way, by),
    })),
  );
  const best = cheapestOf(table, costs);
  for (const cost of costs) {
    if (!table.ways[cost.way].upTo) continue;
    const at = discountFrom(table, service, cost, best);
    found.push({ way: cost.way, than: best.way, by: "discount", at });
  }
  return found;
}

function money(number) {
  const dollars = Math.floor(number / 100).toLocaleString("en-US");
  return `$${dollars}.${String(number % 100).padStart(2, "0")}`;
}

const percent = (number) => `${number}\u00a0%`;

function room(least, most) {
  if (least === most) return least ? money(least) : "–";
  return `${money(least)} to ${money(most)}`;
}

function saysFull(table, { way, than, at }, { full }) {
  const { least } = table.inputs.full;
  const [name, other] = [table.ways[way].name, table.ways[than].name];
  if (at === null) return `${name} is not cheaper than ${other}, however full its hosts are.`;
  if (at === least) return `${name} is cheaper than ${other}, even if hosts are only ${percent(least)} full.`;
  return (
    `${name} is cheaper than ${other} where hosts are at least ${percent(at)} full; ` +
    `you set ${percent(full)}.`
  );
}

function saysTasks(table, { at }, { full }) {
  const { least, most } = table.inputs.tasks;
  if (at === null) {
    return (
      `At ${percent(full)} there is no number of tasks up to ${most} from which on it stays cheaper.`
    );
  }
  if (at === least) return `At ${percent(full)} it is, whatever the number of tasks up to ${most}.`;
  return `At ${percent(full)} it stays cheaper from ${at} tasks on.`;
}

function saysDiscount(table, { way, than, at }) {
  const { name, upTo } = table.ways[way];
  const other = table.ways[than].name;
  if (at === null) return `${name} would not undercut ${other}, even at ${percent(upTo)} off.`;
  const least = at === 1 ? "with any discount" : `from a discount of ${percent(at)} on`;
  return `${name} undercuts ${other} ${least}; AWS says “up to ${percent(upTo)}”.`;
}

function says(table, service, costs) {
  const found = crossings(table, service, costs);
  const outOf = (way) => costs.find((cost) => cost.way === way).out;
  const lines = [];
  for (const at of found.filter(({ by }) => by === "full")) {
    const out = outOf(at.way);
    if (out) {
      lines.push(`${table.ways[at.way].name}: ${out}`);
      continue;
    }
    const tasks = found.find(({ way, by }) => way === at.way && by === "tasks");
    if (at.at === null && tasks.at === null) {
      lines.push(
        `${table.ways[at.way].name} is not cheaper than ${table.ways[at.than].name}: ` +
          `neither with fuller hosts nor, at ${percent(service.full)}, from any number of tasks up to ` +
          `${table.inputs.tasks.most} on.`,
      );
      continue;
    }
    lines.push(`${saysFull(table, at, service)} ${saysTasks(table, tasks, service)}`);
  }
  for (const at of found) {
    if (at.by === "discount" && !outOf(at.way)) lines.push(saysDiscount(table, at));
  }
  return lines;
}

/** What is shown for a service; the same as `_view` in cost_crossover.py. */
export function view(table, service) {
  const costs = monthlyCost(table, service);
  const best = cheapestOf(table, costs);
  const longest = Math.max(...costs.map(({ most }) => total(most)));
  const row = (cost) => {
    if (cost.out) {
      const lines = Object.fromEntries(table.lines.map((line) => [line, "–"]));
      return { sum: cost.out, best: false, hosts: "", bar: [0, 0], lines };
    }
    const ends = [total(cost.lines), total(cost.most)];
    return {
      sum: room(...ends),
      best: cost.way === best.way,
      hosts: cost.hosts ? `${cost.hosts} ${cost.hosts === 1 ? "host" : "hosts"}` : "",
      bar: ends.map((end) => Math.floor((100 * end) / longest)),
      lines: Object.fromEntries(
        table.lines.map((line) => [line, room(cost.lines[line], cost.most[line])]),
      ),
    };
  };
  return {
    headline:
      `Cheapest of what has a list price: ${table.ways[best.way].name}, ` +
      `${money(total(best.lines))} a month.`,
    rows: Object.fromEntries(costs.map((cost) => [cost.way, row(cost)])),
    says: says(table, service, costs),
  };
}

/** A warning where the prices are old on a day; the same as `age_of_prices`. */
export function ageOfPrices(table, today) {
  const days = Math.round((Date.parse(today) - Date.parse(table.asOf)) / 86400000);
  if (days <= table.amber) return "";
  return (
    `These prices are ${days} days old on ${today}, and were to be looked at again after ` +
    `${table.amber}. Look at AWS's price pages before you rely on a sum.`
  );
}

function readersDay() {
  const now = new Date();
  const parts = [now.getFullYear(), now.getMonth() + 1, now.getDate()];
  return parts.map((part) => String(part).padStart(2, "0")).join("-");
}

function render({ model, el }) {
  // On the page the markup stands there already; in JupyterLab `el` is empty.
  if (!el.querySelector(".cost-crossover")) el.insertAdjacentHTML("beforeend", model.get("markup"));
  const root = el.querySelector(".cost-crossover");
  const form = root.querySelector("form");
  const table = model.get("table");
  const field = (name) => form.querySelector(`[name="${name}"]`);
  const slots = Object.fromEntries(
    [...root.querySelectorAll("[data-slot]")].map((slot) => [slot.dataset.slot, slot]),
  );

  const sizesOf = (vcpu) => table.sizes.find(([each]) => each === vcpu).slice(1);

  function say(slot, text) {
    if (slots[slot].textContent !== text) slots[slot].textContent = text;
  }

  function draw() {
    const service = model.get("inputs");
    for (const name of ["vcpu", "network", ...Object.keys(table.inputs)]) {
      const input = field(name);
      if (input.value !== String(service[name])) input.value = service[name];
      input.removeAttribute("aria-invalid");
    }
    const memories = sizesOf(service.vcpu).map(String);
    const select = field("memory");
    if ([...select.options].map(({ value }) => value).join() !== memories.join()) {
      select.replaceChildren(...memories.map((memory) => new Option(`${memory} GB`, memory)));
    }
    select.value = service.memory;
    const seen = view(table, service);
    say("headline", seen.headline);
    for (const [way, row] of Object.entries(seen.rows)) {
      const item = root.querySelector(`[data-way="${way}"]`);
      if (item.classList.contains("best") !== row.best) item.classList.toggle("best", row.best);
      item.querySelector(".hosts").textContent = row.hosts;
      item.querySelector(".sum").textContent = row.sum;
      for (const [at, end] of ["least", "most"].entries()) {
        item.querySelector(`.${end}`).style.width = `${row.bar[at]}%`;
      }
      for (const cell of root.querySelectorAll(`[data-row="${way}"] td`)) {
        cell.textContent = cell.dataset.line === "sum" ? row.sum : row.lines[cell.dataset.line];
      }
    }
    slots.says.replaceChildren(
      ...seen.says.map((line) => {
        const item = document.createElement("li");
        item.textContent = line;
        return item;
      }),
    );
    const age = ageOfPrices(table, model.get("today") || readersDay());
    say("age", age);
    slots.age.hidden = age === "";
  }

  /** Why a figure can't be used; "" if it can. */
  function wrong(name) {
    const { least, most, wrong: words } = table.inputs[name];
    const text = field(name).value.trim();
    const number = Number(text);
    return text && Number.isInteger(number) && number >= least && number <= most ? "" : words;
  }

  function read() {
    const service = { ...model.get("inputs"), network: field("network").value };
    const faults = [];
    for (const name of Object.keys(table.inputs)) {
      const fault = wrong(name);
      if (fault) faults.push(fault);
      else service[name] = Number(field(name).value);
      if (fault) field(name).setAttribute("aria-invalid", "true");
      else field(name).removeAttribute("aria-invalid");
    }
    service.vcpu = Number(field("vcpu").value);
    service.memory = Number(field("memory").value);
    const memories = sizesOf(service.vcpu);
    let note = "";
    if (!memories.includes(service.memory)) {
      const wanted = service.memory;
      const away = (memory) => Math.abs(memory - wanted);
      service.memory = memories.reduce((a, b) => (away(b) < away(a) ? b : a));
      note =
        `Fargate has no task of ${service.vcpu} vCPU and ${wanted} GB: ` +
        `the memory is now ${service.memory} GB.`;
    }
    if (faults.length) {
      say("trouble", `${faults.join(" ")} The sums are those of before.`);
      return;
    }
    say("trouble", note);
    model.set("inputs", service);
    model.save_changes();
  }

  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // JupyterLab has plain-key commands
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", read);

  model.on("change:inputs", draw);
  model.on("change:today", draw);
  draw();
  form.querySelector("fieldset").disabled = false;
  return () => {
    model.off("change:inputs", draw);
    model.off("change:today", draw);
  };
}

export default { render };
