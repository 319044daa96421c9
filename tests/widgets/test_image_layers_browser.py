from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest
from site_visit import violations

from widgets import ImageLayers
from widgets.base import STATIC
from widgets.dockerfile import fixed_pairs, parse
from widgets.image_layers import diff, rebuilt

from .conftest import first_and_live, in_jupyterlab

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser

DOCKERFILES = [
    "FROM course/base:1\nCOPY app.py ./\nRUN make",
    "FROM a\nWORKDIR /app\nCOPY deps.txt ./\nRUN get deps.txt\nCOPY . .\nCMD run",
    "FROM a\nENV A=1\nLABEL b=c\nRUN one\nCOPY x.py y.py /srv/\nEXPOSE 80\nUSER 1\nCMD run",
]
RULES = """async (cases) => {
  const { rebuilt } = await import("./image_layers.js");
  return cases.map(([order, changed]) => rebuilt(order, changed));
}"""
DIFFS = """async (cases) => {
  const { diff } = await import("./image_layers.js");
  return cases.map((written) => diff(written));
}"""
WORDS = """async ([table, cases]) => {
  const { figures, verdict } = await import("./image_layers.js");
  return cases.map(([order, changed]) => {
    const { steps, cost } = figures(table, order, changed);
    return [steps, cost, verdict(table, order, changed)];
  });
}"""
NONE = "\N{EN DASH}"
BEST = [1, 2, 4, 5, 6, 7, 3]


def orders_of(text: str) -> list[tuple[int, ...]]:
    steps = parse(text)
    pairs = list(fixed_pairs(steps))
    return [
        order
        for order in itertools.permutations(range(len(steps)))
        if all(order.index(first) < order.index(second) for first, second, _ in pairs)
    ]


def subsets(lines: range) -> list[list[int]]:
    return [list(some) for n in range(len(lines) + 1) for some in itertools.combinations(lines, n)]


def button(page: Page, act: str) -> Locator:
    return page.locator(f'[data-act="{act}"]')


def mover(page: Page, line: int, by: int) -> Locator:
    return page.locator(f'[data-line="{line}"] [data-move="{by}"]')


def lines_of(page: Page) -> list[str]:
    rows = page.locator(".lines [data-line]")
    return [row.get_attribute("data-line") or "" for row in rows.all()]


def verdict_of(page: Page) -> str:
    return page.locator('[data-slot="verdict"]').inner_text()


def happens_of(page: Page) -> str:
    return page.locator('[data-slot="happens"]').inner_text()


def press(page: Page, *acts: str) -> None:
    # A button that is marked as disabled still answers.
    for act in acts:
        button(page, act).dispatch_event("click")


@pytest.mark.parametrize("text", DOCKERFILES, ids=["short", "folder", "settings"])
def test_python_and_the_module_rebuild_the_same(text: str, open_page: Callable[..., Page]) -> None:
    orders = orders_of(text)
    assert len(orders) > 1
    cases = [(order, some) for order in orders for some in subsets(range(len(orders[0])))]
    cases = random.Random(0).sample(cases, min(len(cases), 20_000))  # noqa: S311 - a fixed choice
    live = open_page(ImageLayers()).evaluate(RULES, [list(case) for case in cases])
    assert live == [rebuilt(order, some) for order, some in cases]


def test_python_and_the_module_list_the_same_diff(open_page: Callable[..., Page]) -> None:
    paths = ["/note", "/app/app.py", "/app/lib/x.py", "/etc/passwd"]
    marks = ["changed", "deleted", "added", None]
    cases = [
        {path: mark for path, mark in zip(paths, row, strict=True) if mark}
        for row in itertools.product(marks, repeat=len(paths))
    ]
    assert open_page(ImageLayers()).evaluate(DIFFS, cases) == [diff(case) for case in cases]


def test_python_and_the_module_say_the_same(open_page: Callable[..., Page]) -> None:
    widget = ImageLayers()
    orders = [
        order
        for order in itertools.permutations(range(len(widget._layers)))
        if all(order.index(first) < order.index(second) for first, second, _ in widget._keeps)
    ]
    cases = [(order, name) for order in orders for name in widget._changes]
    live = open_page(widget).evaluate(WORDS, [widget.table, cases])
    for (order, name), words in zip(cases, live, strict=True):
        widget.changed = name
        steps, cost = widget._figures(order, widget._changes[name])
        assert words == [steps, cost, widget._verdict(order)]


def test_coming_alive_changes_no_word(open_page: Callable[..., Page], said: list[str]) -> None:
    widgets = [ImageLayers(order=BEST), ImageLayers(order=BEST, changed="")] + [
        ImageLayers(changed=name) for name in ImageLayers()._changes
    ]
    page = open_page(*widgets)
    made, live = first_and_live(page, widgets)
    assert live == made
    assert said == []


def test_keys_change_a_file_and_move_a_line(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    page = open_page(ImageLayers(changed=""))
    assert verdict_of(page).startswith("Nothing has changed")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert page.locator("select").input_value() == "app.py"
    assert verdict_of(page) == (
        "When app.py changes, step 3 and all after it are rebuilt: 5 of 7, 12.4 MB."
    )
    down = mover(page, 2, 1)
    down.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Space")  # the button keeps the focus, so the line goes on
    assert lines_of(page) == list("0134256")
    assert verdict_of(page).endswith("step 5 and all after it are rebuilt: 3 of 7, under 0.1 MB.")
    assert down.evaluate("element => element === document.activeElement")
    assert down.evaluate("element => getComputedStyle(element).outlineWidth") == "3px"
    up = mover(page, 2, -1)
    up.focus()
    page.keyboard.press("Enter")
    assert lines_of(page) == list("0132456")
    assert up.evaluate("element => element === document.activeElement")
    assert said == []


def test_a_line_that_must_stay_says_why(open_page: Callable[..., Page]) -> None:
    page = open_page(ImageLayers())
    up = mover(page, 4, -1)
    assert up.get_attribute("aria-disabled") == "true"
    assert up.get_attribute("aria-label") == "Move up: RUN pip install -r requirements.txt"
    up.dispatch_event("click")
    why = "RUN names requirements.txt, which COPY brings."
    assert page.locator('[data-line="4"] + .why').inner_text() == why
    assert page.locator('[role="status"][data-slot="heard"]').inner_text() == f"Step 5 stays. {why}"
    assert verdict_of(page).startswith("When app.py changes")
    assert lines_of(page) == list("0123456")
    mover(page, 0, -1).dispatch_event("click")
    assert page.locator('[data-line="0"] + .why').inner_text() == "It is the first."
    page.locator('[data-show="written"]').click()
    assert page.locator(".why").is_hidden()
    assert page.locator('[data-slot="heard"]').inner_text() == ""


def test_on_a_phone_the_reason_is_on_the_screen(open_page: Callable[..., Page]) -> None:
    page = open_page(ImageLayers(), width=390)
    up = mover(page, 6, -1)
    up.evaluate("element => element.scrollIntoView({ block: 'end' })")
    mover(page, 4, -1).dispatch_event("click")
    assert page.locator(".why").evaluate(
        """(row) => {
          const { top, bottom, height } = row.getBoundingClientRect();
          return height > 20 && top >= 0 && bottom <= innerHeight;
        }"""
    )


def test_on_the_site_the_tables_look_as_in_jupyterlab(open_page: Callable[..., Page]) -> None:
    looks = """() => [...document.querySelectorAll(".image-layers table")].map((table) => {
      const style = getComputedStyle(table);
      return [table.clientWidth, style.borderCollapse, style.borderSpacing, style.fontSize];
    })"""
    page = open_page(ImageLayers())
    page.locator("details").evaluate("element => { element.open = true; }")
    bare = page.evaluate(looks)
    page.add_style_tag(path=STATIC / "site.css")
    page.evaluate(
        """() => {
          document.body.className = "bd-article";
          document.querySelector("main").innerHTML =
            `<div class="output">${document.querySelector("main").innerHTML}</div>`;
          for (const details of document.querySelectorAll("details")) details.open = true;
        }"""
    )
    assert page.evaluate(looks) == bare


def test_the_best_order_is_one_press_away(open_page: Callable[..., Page]) -> None:
    page = open_page(ImageLayers())
    page.locator('[data-show="best"]').click()
    assert lines_of(page) == list("0134562")
    assert page.locator('.orders [data-figure="steps"]').all_inner_texts() == [
        "5 of 7",
        "1 of 7",
        "1 of 7",
    ]
    costs = page.locator('.orders [data-figure="cost"]')
    assert costs.all_inner_texts() == ["12.4 MB", "under 0.1 MB", "under 0.1 MB"]
    stack = page.locator(".stack [data-layer]")
    assert [row.get_attribute("data-layer") for row in stack.all()] == list("24310")
    page.locator('[data-show="written"]').click()
    assert lines_of(page) == list("0123456")


def test_another_base_rebuilds_all(open_page: Callable[..., Page]) -> None:
    page = open_page(ImageLayers())
    page.locator("select").select_option("step 1")
    assert verdict_of(page).endswith("7 of 7, 12.4 MB and the base.")
    states = page.locator(".lines .state").all_inner_texts()
    assert states == ["changed", *["rebuilt"] * 6]


def test_keys_write_into_the_container_alone(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    page = open_page(ImageLayers())
    cells = page.locator(".stack tbody td")
    assert cells.all_inner_texts() == ["no container", NONE, NONE, "has it", NONE, NONE]
    for act in ("run", "read", "change", "delete"):
        button(page, act).focus()
        page.keyboard.press("Enter")
    assert cells.all_inner_texts() == ["a whiteout", NONE, NONE, "has it, hidden", NONE, NONE]
    assert page.locator('[data-slot="diff"]').inner_text() == "C /app\nD /app/app.py"
    page.locator('[name="file"]').first.focus()
    page.keyboard.press("ArrowDown")
    assert cells.all_inner_texts() == [NONE, NONE, NONE, NONE, NONE, "has it"]
    button(page, "remove").focus()
    page.keyboard.press("Space")
    assert happens_of(page).startswith("The writable layer is deleted")
    assert page.locator('[data-slot="diff"]').inner_text() == "no container"
    assert said == []


@pytest.mark.parametrize(
    ("file", "acts", "says"),
    [
        (0, ["read"], "There is no container"),
        (0, ["run", "run"], "It runs already"),
        (0, ["run", "read"], "falls through to step 3"),
        (0, ["run", "change"], "first copied up"),
        (0, ["run", "change", "change"], "Nothing is copied again"),
        (0, ["run", "change", "read"], "read from the writable layer"),
        (0, ["run", "delete", "read"], "No such file. A whiteout hides the image's"),
        (0, ["run", "delete", "delete"], "No such file"),
        (0, ["run", "delete", "change"], "The new file is written"),
        (1, ["run", "read"], "falls through to step 1"),
        (2, ["run", "read"], "No such file."),
        (2, ["run", "change"], "The new file is written"),
        (2, ["run", "change", "delete"], "nothing is left of it"),
        (2, ["run", "change", "remove", "run", "read"], "No such file."),
    ],
)
def test_what_happens_is_said(
    file: int, acts: list[str], says: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(ImageLayers())
    page.locator('[name="file"]').nth(file).check()
    press(page, *acts)
    assert says in happens_of(page)


def test_two_on_a_page_do_not_disturb_each_other(open_page: Callable[..., Page]) -> None:
    page = open_page(ImageLayers(), ImageLayers(changed="step 6"))
    page.locator('[data-show="best"]').first.click()
    button(page, "run").first.click()
    assert lines_of(page) == [*"0134562", *"0123456"]
    assert page.locator('[data-slot="diff"]').all_inner_texts() == ["nothing", "no container"]


def test_it_works_with_the_network_cut(open_page: Callable[..., Page], said: list[str]) -> None:
    page = open_page(ImageLayers())
    page.context.set_offline(offline=True)
    press(page, "run", "change")
    assert happens_of(page).startswith("The whole file is first copied up")
    assert said == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("acts", [[], ["run", "read"], ["run", "change", "read"]], ids=str)
def test_axe_finds_nothing(acts: list[str], theme: str, open_page: Callable[..., Page]) -> None:
    page = open_page(ImageLayers(), theme=theme)
    press(page, *acts)
    if acts:
        mover(page, 4, -1).dispatch_event("click")  # a refusal, with colours of its own
    page.locator("details").evaluate("element => { element.open = true; }")
    assert violations(page) == []


@pytest.mark.parametrize("width", [320, 390, 768, 1350])
def test_it_fits_the_screen(width: int, open_page: Callable[..., Page]) -> None:
    page = open_page(ImageLayers(), width=width)
    press(page, "run", "change", "read")
    page.locator("details").evaluate("element => { element.open = true; }")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    small = page.evaluate(
        """() => [...document.querySelectorAll(".image-layers *")].filter((element) =>
          [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) &&
          parseFloat(getComputedStyle(element).fontSize) < 12).map((small) => small.outerHTML)"""
    )
    assert small == []


def test_without_a_script_the_tables_tell_it(open_page: Callable[..., Page]) -> None:
    page = open_page(ImageLayers(), java_script_enabled=False)
    assert page.locator("button:visible, select:visible, input:visible").count() == 0
    assert page.locator("fieldset:not([disabled])").count() == page.locator(".files").count()
    row = page.locator(".lines tr", has_text="RUN pip")
    assert "12.4 MB" in row.inner_text()
    assert "rebuilt" in row.inner_text()
    page.locator("summary").click()
    table = page.locator("details table").first
    assert "1 of 7 steps, under 0.1 MB" in table.locator("tr", has_text="app.py").first.inner_text()


def test_jupyterlab_gives_an_empty_box_and_a_model(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    widget = ImageLayers()
    page = open_page(ImageLayers())
    seen = in_jupyterlab(
        page,
        widget,
        """
        el.querySelector('[data-show="best"]').click();
        el.querySelector('[data-act="run"]').click();
        model.set("changed", "step 7"); // as a cell would
        return el.querySelector('[data-slot="verdict"]').textContent;
        """,
    )
    assert seen["said"].startswith("When the line CMD")
    assert (seen["state"]["order"], seen["state"]["container"]) == (BEST, {})
    assert (seen["calls"], seen["left"]) == (["saved", "saved"], 0)
    assert said == []
