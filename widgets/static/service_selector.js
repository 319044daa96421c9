// The service selector: the rules of `facts/chooser.yaml` once more, in the browser.
// The markup was made in Python; this module ranks again when an answer changes.

const IN_FULL = 3;
const WAYS = [0, 3, 1]; // ways shown to another option, by how many answers each changes
const KEY = "selector=";
const OPTION = ["id", "name", "isFor", "billed", "duties", "since", "then", "source", "second"];

/** Gives the rows of `table` their names back; see `_table` in service_selector.py. */
export function decode(table) {
  const when = (packed) =>
    packed.split(",").map((part) => {
      const [name, wanted] = part.split(":");
      return [name, wanted.split("|")];
    });
  const options = table.options.map((row) =>
    Object.fromEntries(row.map((value, i) => [OPTION[i], value])),
  );
  const facts = table.facts.map((row) => {
    if (typeof row === "number") {
      const { name, isFor, billed, duties, since, source, second } = options[row];
      const taken = `AWS takes ${duties} of ${table.duties} counted duties.`;
      const says = `${name}: ${isFor} ${taken} Paid for: ${billed}.`;
      return { says, since, source, second };
    }
    const [since, source, second, ...words] = row;
    if (words.length === 1) return { says: words[0], since, source, second };
    const [slide, said, today, holds] = words;
    const says = `${slide}: ${said} Today: ${today}`;
    return { says, since, source, second, slide, said, today, holds };
  });
  return {
    answers: Object.fromEntries(
      Object.entries(table.questions).map(([name, [, ...answers]]) => [name, answers]),
    ),
    short: Object.fromEntries(
      Object.entries(table.questions).map(([name, [short]]) => [name, short]),
    ),
    contradictions: table.contradictions.map(([packed, says]) => [when(packed), says]),
    rules: table.rules.map(([year, packed, points, about, because, named]) => ({
      year,
      when: when(packed),
      points,
      options: about,
      because,
      facts: named,
    })),
    options,
    facts,
    sources: table.sources,
  };
}

const holds = (when, answers) => when.every(([name, wanted]) => wanted.includes(answers[name]));

/** Ranks the options of a year; the same as `Chooser.rank`, with numbers instead of names. */
export function rank(book, answers, year) {
  const ranked = new Map();
  book.options.forEach(({ then }, option) => {
    if (year !== 2019 || then) ranked.set(option, { option, points: 0, pro: [], con: [], out: [] });
  });
  book.rules.forEach((rule, id) => {
    if ((rule.year && rule.year !== year) || !holds(rule.when, answers)) return;
    for (const option of rule.options) {
      const found = ranked.get(option);
      if (!found) continue;
      found.points += rule.points;
      (rule.points > 0 ? found.pro : rule.points < 0 ? found.con : found.out).push(id);
    }
  });
  const isOut = (found) => (found.out.length ? 1 : 0);
  return [...ranked.values()].sort((a, b) => isOut(a) - isOut(b) || b.points - a.points);
}

const first = (ranked) => (ranked[0].out.length ? null : ranked[0]);

/** Other answers, as few as possible, that lead to another first option; as `Chooser.flips`. */
export function flips(book, answers, year) {
  const best = first(rank(book, answers, year))?.option;
  const others = Object.entries(book.answers).map(([name, all]) =>
    all.filter((answer) => answer !== answers[name]).map((answer) => [name, answer]),
  );
  const tried = (pairs) => {
    const changed = Object.fromEntries(pairs);
    const option = first(rank(book, { ...answers, ...changed }, year))?.option;
    return option === undefined || option === best ? [] : [{ answers: changed, option }];
  };
  const one = others.flatMap((ways) => ways.flatMap((pair) => tried([pair])));
  if (one.length) return one;
  return others.flatMap((ways, i) =>
    others
      .slice(i + 1)
      .flatMap((more) => ways.flatMap((pair) => more.flatMap((other) => tried([pair, other])))),
  );
}

const minus = (number) => String(number).replace("-", "−");
const signed = (number) => (number > 0 ? `+${number}` : minus(number));
const points = (number) => `${minus(number)} ${Math.abs(number) === 1 ? "point" : "points"}`;
const many = (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`;

/** What is shown for some answers; the same as `_View` in service_selector.py. */
export function view(book, words, answers) {
  const now = rank(book, answers, 2026);
  const then = rank(book, answers, 2019);
  const [best, talk] = [first(now), first(then)];
  const name = (found) => book.options[found.option].name;
  const cited = [];
  const said = (question, answer) => `${book.short[question]} “${words[question][answer]}”`;

  function told(says, fact) {
    if (!fact) return { says, since: "", second_hand: false, title: "", url: "", read: "" };
    const [title, url, read] = book.sources[fact.source];
    return { says, since: fact.since, second_hand: Boolean(fact.second), title, url, read };
  }
  function reasons(ids, { cite = false, say = true }) {
    return ids.map((id) => {
      const rule = book.rules[id];
      if (cite) for (const fact of rule.facts) if (!cited.includes(fact)) cited.push(fact);
      return {
        points: rule.points ? signed(rule.points) : "",
        because: rule.because,
        said: say ? rule.when.map(([question]) => said(question, answers[question])) : [],
        facts: cite ? rule.facts.map((fact) => cited.indexOf(fact) + 1) : [],
        second_hand: rule.facts.some((fact) => book.facts[fact].second),
      };
    });
  }
  const option = (found, full) => ({
    name: name(found),
    points: points(found.points),
    is_for: book.options[found.option].isFor,
    reasons: reasons([...found.pro, ...found.con], { cite: full, say: full }),
  });
  function headline() {
    if (!best) return `None of the ${now.length} options is possible with these answers.`;
    const pro = best.pro.length ? `for ${many(best.pro.length, "reason")}` : "no rule speaks for it";
    const con = best.con.length ? ` ${many(best.con.length, "reason")} against it.` : "";
    return `${name(best)}: first with ${points(best.points)}, ${pro}.${con}`;
  }
  function changes() {
    const found = flips(book, answers, 2026);
    const count = found.length ? Object.keys(found[0].answers).length : 0;
    const ways = new Map();
    for (const flip of found) ways.set(flip.option, [...(ways.get(flip.option) ?? []), flip]);
    const says = [
      "No one and no two other answers would change the first place.",
      "One other answer is enough:",
      "No single answer would, but two together:",
    ];
    return {
      says: says[count],
      options: [...ways].map(([id, all]) => ({
        name: book.options[id].name,
        ways: all.slice(0, WAYS[count]).map((flip) => {
          const pairs = Object.entries(flip.answers);
          return {
            sets: pairs.map((pair) => pair.join(":")).join(","),
            label: pairs.map(([question, answer]) => said(question, answer)).join(" and "),
          };
        }),
        more: Math.max(0, all.length - WAYS[count]),
      })),
    };
  }
  function stood(found, ranked) {
    const there = ranked.find((other) => other.option === found.option);
    const ids = there.out.length ? there.out : there.con;
    const place = there.out.length ? "out." : `${points(there.points)}.`;
    return [place, ...ids.map((id) => book.rules[id].because)].join(" ");
  }
  function places() {
    if (best && talk && best.option === talk.option) return [];
    const lines = [];
    const today = best && book.options[best.option];
    if (today && !today.then) {
      lines.push(told(`${today.name} can be used since ${today.since} only.`, today));
    } else if (best) {
      lines.push(told(`${name(best)} in 2019: ${stood(best, then)}`));
    }
    if (talk) lines.push(told(`${name(talk)} today: ${stood(talk, now)}`));
    return lines;
  }
  function talked() {
    const held = talk
      ? [...talk.pro, ...talk.con]
      : [...new Set(then.flatMap((found) => found.out))];
    const claims = [...new Set(held.flatMap((id) => book.rules[id].facts))]
      .map((fact) => book.facts[fact])
      .filter((fact) => fact.slide);
    return {
      name: talk ? name(talk) : "none of its options",
      points: talk ? points(talk.points) : "",
      reasons: reasons(held, {}),
      slides: claims.map(({ slide, said: words2019 }) => `${slide}: ${words2019}`),
      same: Boolean(best && talk && best.option === talk.option),
      differs: [
        ...places(),
        ...claims
          .filter((fact) => fact.holds)
          .map((fact) => told(`${fact.slide.split(",")[0]} ${fact.holds}: ${fact.today}`, fact)),
      ],
    };
  }

  const possible = now.filter((found) => !found.out.length);
  return {
    headline: headline(),
    bar: best ? `${name(best)}, ${points(best.points)}` : "nothing is possible",
    contradictions: book.contradictions
      .filter(([when]) => holds(when, answers))
      .map(([, says]) => says),
    equal: possible
      .slice(1)
      .filter((found) => found.points === possible[0].points)
      .map(name),
    first: possible.slice(0, IN_FULL).map((found) => option(found, true)),
    more: possible.slice(IN_FULL).map((found) => option(found, false)),
    out: now
      .filter((found) => found.out.length)
      .map((found) => ({ name: name(found), reasons: reasons(found.out, {}) })),
    flips: changes(),
    then: talked(),
    facts: cited.map((fact) => told(book.facts[fact].says, book.facts[fact])),
  };
}

/** The result as HTML; the template `service_selector.html.j2` writes the same. */
export function html(seen) {
  const esc = (text) =>
    String(text).replace(
      /[&<>"']/g,
      (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" })[sign],
    );
  const each = (list, write) => list.map(write).join("");
  const mark = (it) => (it.second_hand ? " <mark>second-hand</mark>" : "");
  const cites = (it) => (it.facts.length ? ` Facts: ${it.facts.join(", ")}.` : "");
  const weight = (it) => (it.startsWith("−") ? `<i>${it}</i>` : `<b>${it}</b>`);
  const reason = (it) =>
    `<li>${it.points ? weight(it.points) : ""}<span>${esc(it.because)}${mark(it)}` +
    `${it.said.length ? `<small>Your answers: ${esc(it.said.join(", "))}.${cites(it)}</small>` : ""}` +
    "</span></li>";
  const listed = (list) => `<ul class="reasons">${each(list, reason)}</ul>`;
  const named = (it) =>
    `<p class="name"><b>${esc(it.name)}</b>` +
    `${it.points === undefined ? "" : `<span>${it.points}</span>`}</p>`;
  const option = (it, full) =>
    `<li>${named(it)}${full ? `<p>${esc(it.is_for)}</p>` : ""}` +
    `${it.reasons.length ? listed(it.reasons) : '<p class="none">No rule speaks for it or against it.</p>'}</li>`;
  const sourced = (it) =>
    `<li>${esc(it.says)}${mark(it)}` +
    `${it.url ? `<small>${it.since ? `Since ${it.since}. ` : ""}<a href="${esc(it.url)}">${esc(it.title)}</a>, read ${it.read}</small>` : ""}</li>`;
  const plain = (says) => `<li>${esc(says)}</li>`;
  const title = (words) => `<p class="title">${esc(words)}</p>`;
  const { then } = seen;
  const parts = [
    seen.contradictions.length &&
      `<div class="warn">${title("These answers can't be true together")}<ul>${each(seen.contradictions, plain)}</ul></div>`,
    seen.equal.length &&
      `<p class="equal">As many points: ${esc(seen.equal.join(", "))}. No rule decides between equals; their order is fixed.</p>`,
    seen.first.length &&
      `<ol class="ranked">${each(seen.first, (it) => option(it, true))}</ol>`,
    seen.more.length &&
      `<details><summary>Possible, too: ${seen.more.length}</summary><ol class="ranked" start="4">${each(seen.more, (it) => option(it, false))}</ol></details>`,
    seen.out.length &&
      `<details${seen.first.length ? "" : " open"}><summary>Out: ${seen.out.length}</summary><ul class="ranked">${each(seen.out, (it) => `<li>${named(it)}${listed(it.reasons)}</li>`)}</ul></details>`,
    `<fieldset class="flips"><legend>What would change the first place</legend><p>${seen.flips.says}</p>`,
    seen.flips.options.length &&
      `<ul>${each(
        seen.flips.options,
        (it) =>
          `<li><b>${esc(it.name)}</b>${each(it.ways, (way) => `<button type="button" data-sets="${esc(way.sets)}">${esc(way.label)}</button>`)}${it.more ? `<span>and ${it.more} more</span>` : ""}</li>`,
      )}</ul>`,
    `</fieldset><div class="then">${title("In 2019 the talk would have said")}${named(then)}`,
    then.reasons.length && listed(then.reasons),
    then.slides.length && `${title("Its slides")}<ul>${each(then.slides, plain)}</ul>`,
    title(then.same ? "The same as today" : "Why today's answer differs"),
    then.differs.length
      ? `<ul>${each(then.differs, sourced)}</ul>`
      : `<p>${then.same ? "Nothing that these reasons rest on has changed." : "Then as now: nothing is possible."}</p>`,
    "</div>",
    seen.facts.length &&
      `<details><summary>The facts behind the first ${seen.first.length}, with their sources</summary><ol class="facts">${each(seen.facts, sourced)}</ol></details>`,
  ];
  return parts.filter(Boolean).join("");
}

/** Reads answers out of a fragment such as `#selector=kind:job,zero:yes`; null if it has none. */
export function readFragment(book, fragment) {
  let text = fragment.replace(/^#/, "");
  if (!text.startsWith(KEY)) return null;
  text = text.slice(KEY.length);
  try {
    text = decodeURIComponent(text);
  } catch {
    // A lone percent sign: what can be read of it is used.
  }
  const answers = {};
  const unknown = [];
  for (const part of text.split(",").filter(Boolean)) {
    const [name, answer] = part.split(/:(.*)/s);
    const known = Object.hasOwn(book.answers, name) && book.answers[name].includes(answer);
    if (known) answers[name] = answer;
    else unknown.push(part.length > 40 ? `${part.slice(0, 40)}…` : part);
  }
  return { answers, unknown };
}

function render({ model, el }) {
  const onPage = "anywidget" in el.dataset;
  if (!el.firstElementChild) el.innerHTML = model.get("markup"); // JupyterLab gives an empty box
  const root = el.querySelector(".service-selector");
  const book = decode(model.get("table"));
  const slots = Object.fromEntries(
    [...root.querySelectorAll("[data-slot]")].map((slot) => [slot.dataset.slot, slot]),
  );
  const doors = Object.fromEntries(
    [...root.querySelectorAll("[data-do]")].map((door) => [door.dataset.do, door]),
  );
  const selects = [...root.querySelectorAll("[data-question]")];
  const words = Object.fromEntries(
    selects.map((select) => [
      select.dataset.question,
      Object.fromEntries([...select.options].map((option) => [option.value, option.text])),
    ]),
  );
  const defaults = Object.fromEntries(
    Object.entries(book.answers).map(([name, [answer]]) => [name, answer]),
  );
  const atFirst = { ...model.get("answers") };
  const same = (one, other) => Object.keys(defaults).every((name) => one[name] === other[name]);
  // One address can hold the answers of one selector only: the first on the page.
  const owner = onPage && document.querySelector('[data-anywidget="service_selector"]') === el;
  const past = [];
  let depth = 0;

  const isChanged = (answers, name) => answers[name] !== defaults[name];
  const fragment = (answers) =>
    KEY +
    Object.keys(defaults)
      .filter((name) => isChanged(answers, name))
      .map((name) => `${name}:${answers[name]}`)
      .join(",");
  const address = (answers) =>
    location.pathname + location.search + (same(answers, atFirst) ? "" : `#${fragment(answers)}`);

  function draw() {
    const answers = model.get("answers");
    const seen = view(book, words, answers);
    slots.headline.textContent = seen.headline;
    slots.bar.textContent = seen.bar;
    const opened = new Set(folds().filter((fold) => fold.open).map(titleOf));
    slots.result.innerHTML = html(seen);
    for (const fold of folds()) fold.open ||= opened.has(titleOf(fold));
    for (const select of selects) select.value = answers[select.dataset.question];
    for (const group of root.querySelectorAll(".questions > details")) {
      const inside = [...group.querySelectorAll("select")];
      const count = inside.filter((it) => isChanged(answers, it.dataset.question)).length;
      group.querySelector("summary span").textContent = count
        ? `${count} changed`
        : "as set at first";
    }
    controls();
  }

  const folds = () => [...slots.result.querySelectorAll("details")];
  const titleOf = (fold) => fold.querySelector("summary").textContent.replace(/\d+/, "");

  function controls() {
    doors.reset.setAttribute("aria-disabled", String(same(model.get("answers"), defaults)));
    doors.back.setAttribute("aria-disabled", String(owner ? depth === 0 : past.length === 0));
  }

  function keep(answers) {
    if (same(answers, model.get("answers"))) return;
    slots.note.textContent = "";
    if (owner) {
      depth += 1;
      history.pushState({ selector: depth }, "", address(answers));
    } else {
      past.push(model.get("answers"));
    }
    put(answers);
  }

  function put(answers) {
    model.set("answers", answers);
    model.save_changes();
    controls(); // an equal value raises no change
  }

  function follow() {
    const found = readFragment(book, location.hash);
    if (found) put({ ...defaults, ...found.answers });
    else if (location.hash.length < 2) put(atFirst);
    slots.note.textContent = found?.unknown.length
      ? `Not known here, and left out of the link: ${found.unknown.join(", ")}. The rest was used.`
      : "";
    return Boolean(found);
  }

  function onPopState(event) {
    const known = event.state?.selector;
    depth = known ?? depth + 1; // a link or a hand-written address is a step, too
    if (known === undefined) history.replaceState({ ...event.state, selector: depth }, "");
    if (follow() && known === undefined) root.scrollIntoView();
  }

  async function copy() {
    const link = `${location.origin}${location.pathname}${location.search}#${fragment(model.get("answers"))}`;
    try {
      await navigator.clipboard.writeText(link);
      slots.note.textContent = "The link is in your clipboard.";
    } catch {
      slots.note.textContent = `The browser keeps its clipboard. Copy this: ${link}`;
    }
  }

  let folded = [];
  function beforePrint() {
    folded = [...root.querySelectorAll("details:not([open])")];
    for (const fold of folded) fold.open = true;
  }
  function afterPrint() {
    for (const fold of folded) fold.open = false;
    for (const part of document.querySelectorAll("[data-unprinted]")) {
      delete part.dataset.unprinted;
    }
  }
  function print() {
    for (let part = el; part !== document.body; part = part.parentElement) {
      for (const other of part.parentElement.children) {
        if (other !== part) other.dataset.unprinted = "";
      }
    }
    window.print();
  }

  function show() {
    slots.headline.scrollIntoView();
    slots.headline.focus({ preventScroll: true });
  }

  const does = {
    back() {
      if (owner && depth > 0) history.back();
      else if (past.length) put(past.pop());
    },
    reset: () => keep(defaults),
    copy,
    print,
    show,
  };
  for (const [name, door] of Object.entries(doors)) door.addEventListener("click", does[name]);
  slots.result.addEventListener("click", (event) => {
    const { sets } = event.target.dataset;
    if (!sets) return;
    const changed = Object.fromEntries(sets.split(",").map((pair) => pair.split(":")));
    keep({ ...model.get("answers"), ...changed });
    show(); // the button that had the focus is gone
  });
  root.addEventListener("change", (event) => {
    const { question } = event.target.dataset;
    if (question) keep({ ...model.get("answers"), [question]: event.target.value });
  });
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // JupyterLab has plain-key commands
  });
  root.querySelector("form").addEventListener("submit", (event) => event.preventDefault());

  model.on("change:answers", draw);
  window.addEventListener("beforeprint", beforePrint);
  window.addEventListener("afterprint", afterPrint);
  if (owner) {
    depth = history.state?.selector ?? 0;
    history.replaceState({ ...history.state, selector: depth }, "");
    window.addEventListener("popstate", onPopState);
  }
  if (!onPage) {
    doors.copy.hidden = true; // JupyterLab's address and its page are not the selector's
    doors.print.hidden = true;
  }
  for (const part of root.querySelectorAll("fieldset")) part.disabled = false;
  if (owner && readFragment(book, location.hash)) {
    follow();
    root.scrollIntoView();
  } else {
    draw();
  }
  return () => {
    model.off("change:answers", draw);
    window.removeEventListener("beforeprint", beforePrint);
    window.removeEventListener("afterprint", afterPrint);
    window.removeEventListener("popstate", onPopState);
  };
}

export default { render };
