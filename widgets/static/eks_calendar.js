// The EKS calendar: what facts/eks_calendar.py tells of a version and a day, once more.
// The markup was made in Python; this module only brings it to life.

const DAY = 86400000;
const daysBetween = (from, to) => Math.round((Date.parse(to) - Date.parse(from)) / DAY);
const left = (until, today) => Math.max(0, daysBetween(today, until) + 1);
const nextDay = (day) => new Date(Date.parse(day) + DAY).toISOString().slice(0, 10);

// Days are compared as they are written: 2026-11-23 comes before 2026-11-24.
function supportOf([onEks, standard, extended], today) {
  if (today < onEks) return "not yet";
  if (today <= standard) return "standard";
  return today <= extended ? "extended" : "ended";
}

/** Why a version can't be seen from a day; "" if it can. */
export function trouble(table, version, today) {
  const [first, last] = table.span;
  if (!/^\d{4}-\d\d-\d\d$/.test(today)) return `Choose a day from ${first} to ${last}.`;
  if (today < first || today > last) {
    return `The calendar goes from ${first} to ${last}; ${today} is not in it.`;
  }
  const [onEks] = table.rows[version];
  return today < onEks ? `EKS has ${version} from ${onEks} on, not yet on ${today}.` : "";
}

/** What a cluster of a version has to do, seen from a day; the same as `upgrade_plan`. */
export function upgradePlan(table, version, today) {
  const names = Object.keys(table.rows);
  const support = Object.fromEntries(
    names.map((name) => [name, supportOf(table.rows[name], today)]),
  );
  const alive = names.filter((name) => ["standard", "extended"].includes(support[name]));
  const runs = alive.includes(version) ? version : alive[0];
  const [, standard, extended] = table.rows[runs];
  const toNewest = alive.slice(alive.indexOf(runs) + 1);
  const goal = toNewest.findIndex((name) => support[name] === "standard");
  const [plain, more] = table.cents;
  const start = nextDay(standard) > today ? nextDay(standard) : today;
  return {
    runs,
    support,
    toStandard: support[runs] === "standard" ? [] : toNewest.slice(0, goal + 1),
    toNewest,
    daysStandard: left(standard, today),
    daysExtended: left(extended, today),
    centsAMonth: table.month * (support[runs] === "standard" ? plain : more),
    centsExtra: left(extended, start) * 24 * (more - plain),
  };
}

function money(cents) {
  const dollars = Math.floor(cents / 100).toLocaleString("en-US");
  return `$${dollars}.${String(cents % 100).padStart(2, "0")}`;
}

/** Words for a number of days that counts the day itself. */
const daysLeft = (days) =>
  ({ 1: "that very day", 2: "the day after" })[days] ?? `in ${days - 1} days`;

function leads(versions, where) {
  const many = versions.length;
  const steps = many === 1 ? "1 upgrade leads" : `${many} upgrades, one minor version each, lead`;
  return `${steps} to ${where}: ${versions.join(", ")}.`;
}

function says(table, version, today, plan) {
  const [, standard, extended] = table.rows[plan.runs];
  const lines = [];
  if (plan.runs !== version) {
    lines.push(
      `Support ended with ${table.rows[version][2]}. EKS has upgraded the cluster itself, to ` +
        `${plan.runs}: ${plan.support[plan.runs]} support, ${money(plan.centsAMonth)} a month.`,
    );
  }
  const stays = `staying on ${plan.runs} to its end costs ${money(plan.centsExtra)} more than`;
  if (plan.daysStandard) {
    lines.push(
      `Upgrade by ${standard}, ${daysLeft(plan.daysStandard)}: with that day standard ` +
        `support ends. After it the cluster costs ${money(table.month * table.cents[1])} a ` +
        `month, and ${stays} with standard support.`,
    );
  } else {
    lines.push(
      `Standard support ended with ${standard}. From ${today} on ${stays} with ` +
        "standard support.",
    );
  }
  lines.push(
    `Upgrade by ${extended} at the latest, ${daysLeft(plan.daysExtended)}: after it EKS ` +
      "upgrades the cluster itself.",
  );
  if (plan.toStandard.length) lines.push(leads(plan.toStandard, "standard support"));
  else if (!plan.daysStandard) {
    lines.push("No version of this calendar has standard support on that day.");
  }
  if (plan.toNewest.length) {
    lines.push(leads(plan.toNewest, "the newest version on EKS that day"));
  } else lines.push(`${plan.runs} is the newest of this calendar on EKS that day.`);
  return lines;
}

function age({ asOf, amber }, today) {
  const days = daysBetween(asOf, today);
  if (days <= amber) return "";
  return (
    `The calendar is of ${asOf}. ${today} is ${days} days later: newer versions will ` +
    "have come that it does not know."
  );
}

function across({ span: [first, last], edges: [from, to] }, day) {
  const tenths = (10 * (to - from) * daysBetween(first, day)) / daysBetween(first, last);
  return from + Math.floor(tenths) / 10;
}

/** What is shown for a version and a day; the same as `_view` in eks_calendar.py. */
export function view(table, version, today) {
  const plan = upgradePlan(table, version, today);
  const has = plan.support[version];
  const headline =
    has === "ended"
      ? "no support."
      : `${has} support, ${money(plan.centsAMonth)} a month for the cluster itself.`;
  return {
    headline: `${version} on ${today}: ${headline}`,
    says: says(table, version, today, plan),
    support: Object.fromEntries(
      Object.entries(plan.support).map(([name, each]) => [name, table.names[each]]),
    ),
    runs: plan.runs,
    across: across(table, today),
    age: age(table, today),
  };
}

function readersDay() {
  const now = new Date();
  const parts = [now.getFullYear(), now.getMonth() + 1, now.getDate()];
  return parts.map((part) => String(part).padStart(2, "0")).join("-");
}

function render({ model, el }) {
  // On the page the markup stands there already; in JupyterLab `el` is empty.
  if (!el.querySelector(".eks-calendar")) el.insertAdjacentHTML("beforeend", model.get("markup"));
  const root = el.querySelector(".eks-calendar");
  const table = model.get("table");
  const form = root.querySelector("form");
  const [version, today] = ["version", "today"].map((name) =>
    form.querySelector(`[name="${name}"]`),
  );
  const slots = Object.fromEntries(
    [...root.querySelectorAll("[data-slot]")].map((slot) => [slot.dataset.slot, slot]),
  );

  function say(slot, text) {
    if (slots[slot].textContent !== text) slots[slot].textContent = text;
  }

  function draw() {
    version.value = model.get("version");
    if (today.value !== model.get("today")) today.value = model.get("today");
    today.removeAttribute("aria-invalid");
    say("trouble", "");
    const seen = view(table, model.get("version"), model.get("today"));
    say("headline", seen.headline);
    slots.says.replaceChildren(
      ...seen.says.map((line) => {
        const item = document.createElement("li");
        item.textContent = line;
        return item;
      }),
    );
    say("age", seen.age);
    slots.age.hidden = seen.age === "";
    for (const [name, words] of Object.entries(seen.support)) {
      const row = root.querySelector(`[data-row="${name}"]`);
      row.querySelector("[data-support]").textContent = words;
      for (const part of [row, root.querySelector(`[data-bar="${name}"]`)]) {
        if (part.classList.contains("runs") !== (name === seen.runs)) part.classList.toggle("runs");
      }
    }
    root.querySelector("svg > .today").setAttribute("transform", `translate(${seen.across} 0)`);
  }

  function choose(name, value) {
    const asked = { version: model.get("version"), today: model.get("today"), [name]: value };
    const fault = trouble(table, asked.version, asked.today);
    if (fault) {
      today.setAttribute("aria-invalid", "true");
      say("trouble", `${fault} What stands below is as before.`);
      if (name === "version") version.value = model.get("version");
      return;
    }
    model.set(name, value);
    model.save_changes();
    draw(); // an equal value raises no change, and the trouble must go
  }

  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // JupyterLab has plain-key commands
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  version.addEventListener("change", () => choose("version", version.value));
  today.addEventListener("input", () => choose("today", today.value));
  form.querySelector("button").addEventListener("click", () => choose("today", readersDay()));

  model.on("change:version", draw);
  model.on("change:today", draw);
  draw();
  form.querySelector("fieldset").disabled = false;
  return () => {
    model.off("change:version", draw);
    model.off("change:today", draw);
  };
}

export default { render };
