// A chart: its first paint stands in the page. Plotly, which is large, is loaded only once the
// reader points at the picture, moves to the button or presses it.

let loading; // one Plotly for all charts of a page

function loadPlotly() {
  loading ??= new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = new URL("./plotly.min.js", import.meta.url);
    script.onload = () => (window.Plotly ? done(window.Plotly) : fail(new Error("no Plotly in it")));
    script.onerror = () => {
      script.remove();
      loading = undefined; // the next try asks again
      fail(new Error(`${script.src} could not be loaded`));
    };
    document.head.append(script);
  });
  return loading;
}

/** The spec in the colours of the mode that the page is in. */
function inMode(spec, colours, root) {
  const style = getComputedStyle(root);
  return JSON.parse(JSON.stringify(spec), (_, value) =>
    typeof value === "string" && colours[value] ? style.getPropertyValue(colours[value]).trim() : value,
  );
}

const plain = (text) =>
  text
    .replace("</b><br>", ": ")
    .replace("<br>Source", ". Source")
    .replace(/<br>/g, " ")
    .replace(/<[^>]+>/g, "");

function render({ model, el }) {
  const root = el.querySelector(".chart");
  const plot = root.querySelector(".plot");
  const button = root.querySelector("button");
  const said = root.querySelector("[data-said]");
  const spec = model.get("spec");
  const colours = model.get("colours");
  const marks = spec.data.flatMap((trace, curveNumber) =>
    (trace.customdata ?? []).map((text, pointNumber) => ({
      curveNumber,
      pointNumber,
      text,
      subplot: (trace.xaxis ?? "x") + (trace.yaxis ?? "y"),
    })),
  );
  let live; // the element that Plotly draws in
  let starting;
  let at = -1;

  function draw(Plotly) {
    const { data, layout, config } = inMode(spec, colours, root);
    const size = { width: plot.clientWidth, height: plot.clientHeight };
    return Plotly.react(live, data, { ...layout, ...size }, config);
  }

  async function start() {
    said.textContent = "Loading…";
    try {
      const Plotly = await loadPlotly();
      const box = document.createElement("div");
      box.className = "live";
      box.setAttribute("aria-hidden", "true"); // the picture below has the words
      plot.append(box);
      live = box;
      await draw(Plotly);
      plot.dataset.live = "yes";
      button.textContent = "Next mark";
      said.textContent = "Point at a mark, or walk through them with the button and the arrow keys.";
      const redraw = () => draw(Plotly);
      new ResizeObserver(redraw).observe(plot);
      new MutationObserver(redraw).observe(document.documentElement, {
        attributeFilter: ["data-theme"],
      });
    } catch (error) {
      console.warn("The chart stays a picture.", error);
      live?.remove();
      live = starting = undefined;
      said.textContent = "Plotly could not be loaded, so the chart stays a picture. The table has every number.";
    }
  }

  const wake = () => (starting ??= start());

  async function show(step) {
    await wake();
    if (!live) return;
    at = (at + step + marks.length) % marks.length;
    const { text, subplot, ...mark } = marks[at];
    window.Plotly.Fx.hover(live, [mark], [subplot]);
    said.textContent = plain(text);
  }

  plot.addEventListener("pointerenter", wake);
  button.addEventListener("focus", wake);
  button.addEventListener("click", () => show(1));
  button.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      show(at < 0 && step < 0 ? 0 : step);
    } else if (event.key === "Escape" && live) {
      window.Plotly.Fx.unhover(live);
    }
  });
  button.disabled = false;
}

export default { render };
