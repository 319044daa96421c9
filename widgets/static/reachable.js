// Makes what scrolls by itself reachable by key. The theme's own way begins at load, measures every
// pre of the page, and has the browser lay out all that is below the screen for it. This one waits
// until the browser lays a thing out.
{
  addEventListener("load", (event) => event.stopImmediatePropagation(), { once: true });
  const seen = new ResizeObserver((entries) => {
    for (const { target: el } of entries) {
      el.tabIndex = el.scrollWidth > el.clientWidth || el.scrollHeight > el.clientHeight ? 0 : -1;
    }
  });
  const may = "pre, .cell_output > .output, .pst-scrollable-table-container";
  for (const el of document.querySelectorAll(may)) seen.observe(el);
}
