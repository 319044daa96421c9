// Self-check questions: tells whether the chosen option is right, and why.
// The markup, with the feedback of every option, was made in Python.

function render({ model, el }) {
  if (!el.firstElementChild) el.innerHTML = model.get("markup"); // JupyterLab gives an empty box
  const root = el.querySelector(".self-check");
  const forms = [...root.querySelectorAll("form")];
  const answers = model.get("answers");

  function feedback(form) {
    const tries = model.get("tries")[form.dataset.question] ?? [];
    const line = form.querySelector("[data-feedback]");
    form.querySelectorAll("label").forEach((label, option) => {
      const right = option === answers[form.dataset.question];
      if (tries.includes(option)) label.dataset.result = right ? "right" : "wrong";
      else delete label.dataset.result;
    });
    if (tries.length === 0) return line.replaceChildren();
    const last = tries.at(-1);
    const right = last === answers[form.dataset.question];
    const verdict = document.createElement("strong");
    verdict.textContent = right ? "Right." : "Not yet.";
    const why = form.querySelector(`[data-option="${last}"]`).cloneNode(true);
    delete why.dataset.option; // only the one in the list answers to that name
    line.dataset.result = right ? "right" : "wrong";
    return line.replaceChildren(verdict, " ", why);
  }

  function draw() {
    forms.forEach(feedback);
    const tries = model.get("tries");
    const ids = Object.keys(answers).filter((id) => tries[id]?.includes(answers[id]));
    const first = ids.filter((id) => tries[id][0] === answers[id]).length;
    if (Object.keys(tries).length === 0) return;
    root.querySelector("[data-score]").textContent =
      `${ids.length} of ${forms.length} right, ${first} of them at the first try.`;
  }

  for (const form of forms) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const choice = new FormData(form).get("choice");
      if (choice === null) {
        form.querySelector("[data-feedback]").textContent = "Choose an answer first.";
        return;
      }
      const id = form.dataset.question;
      const tries = model.get("tries");
      model.set("tries", { ...tries, [id]: [...(tries[id] ?? []), Number(choice)] });
      model.save_changes();
    });
  }

  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // JupyterLab has plain-key commands
  });

  model.on("change:tries", draw);
  draw();
  for (const form of forms) form.querySelector("fieldset").disabled = false;
  return () => model.off("change:tries", draw);
}

export default { render };
