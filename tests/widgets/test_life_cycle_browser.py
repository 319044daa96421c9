from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from site_visit import violations

from widgets import LifeCycle
from widgets.life_cycle import ACTIONS, OUTCOMES, PROGRAMS

from .conftest import contrast, first_and_live, in_jupyterlab

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser

WAYS = {
    "no container": [],
    "created": ["create"],
    "running": ["create", "start"],
    "paused": ["create", "start", "pause"],
    "exited": ["create", "start", "exit 1"],
    "removed": ["create", "remove"],
}
LONGEST = 4
WALK = """async ([table, programs, actions, longest]) => {
  const { walk } = await import("./life_cycle.js");
  let rows = [[]];
  for (let n = 0; n < longest; n += 1) {
    rows = rows.flatMap((row) => actions.map((action) => [...row, action]));
  }
  return programs.map((program) => rows.map((row) => walk(table, row, program)
    .map((s) => `${s.action}:${s.status}:${s.exit_code ?? ""}:${s.changed}:${s.answer.slice(0, 3)}`)
    .join(" ")));
}"""
# What each text and line of the drawing stands on: the nearest filled box below it, else the page.
INKS = """() => {
  const root = document.querySelector(".life-cycle");
  const paper = getComputedStyle(root).backgroundColor;
  const boxes = [...root.querySelectorAll("svg rect")];
  function behind(x, y, above) {
    const hit = boxes.filter((box) => {
      const area = box.getBoundingClientRect();
      return box !== above && getComputedStyle(box).fill !== "none" &&
        x >= area.left && x <= area.right && y >= area.top && y <= area.bottom;
    });
    return hit.length ? getComputedStyle(hit.at(-1)).fill : paper;
  }
  const inks = [];
  for (const text of root.querySelectorAll("svg text")) {
    const area = text.getBoundingClientRect();
    const below = behind(area.x + area.width / 2, area.y + area.height / 2, null);
    inks.push(["text " + text.textContent, getComputedStyle(text).fill, below, 4.5]);
  }
  for (const line of root.querySelectorAll("svg path.line")) {
    const middle = line.getPointAtLength(line.getTotalLength() / 2);
    const at = middle.matrixTransform(line.getScreenCTM());
    inks.push(["line " + line.getAttribute("d"), getComputedStyle(line).stroke,
      behind(at.x, at.y, null), 3]);
  }
  for (const head of root.querySelectorAll("svg path.head")) {
    const area = head.getBoundingClientRect();
    inks.push(["head", getComputedStyle(head).fill,
      behind(area.x + area.width / 2, area.y + area.height / 2, null), 3]);
  }
  for (const box of boxes) {
    const style = getComputedStyle(box);
    if (style.stroke === "none") continue;
    const area = box.getBoundingClientRect();
    inks.push(["border " + box.getAttribute("class"), style.stroke,
      behind(area.x + area.width / 2, area.y, box), 3]);
  }
  return inks;
}"""
OVERLAPS = """() => {
  const area = (el) => el.getBoundingClientRect();
  const texts = [...document.querySelectorAll(".life-cycle svg text:not(.name)")];
  const boxes = [...document.querySelectorAll(".life-cycle .node .box")];
  const hit = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 &&
    a.top < b.bottom - 3 && b.top < a.bottom - 3; // a line box is taller than its letters
  const found = [];
  texts.forEach((text, i) => {
    for (const other of [...texts.slice(i + 1), ...boxes]) {
      if (hit(area(text), area(other))) found.push([text.textContent, other.textContent]);
    }
  });
  const svg = area(document.querySelector(".life-cycle svg"));
  for (const text of texts) {
    if (area(text).left < svg.left || area(text).right > svg.right) found.push([text.textContent]);
  }
  return found;
}"""


def button(page: Page, action: str) -> Locator:
    return page.locator(f'[data-action="{action}"]')


def press(page: Page, *actions: str) -> None:
    # A refused action is a button that is marked as disabled and still answers.
    for action in actions:
        button(page, action).dispatch_event("click")


def said_of(page: Page) -> str:
    return " ".join(page.locator(".said").inner_text().split())


def test_python_and_the_module_walk_the_same_ways(open_page: Callable[..., Page]) -> None:
    widget = LifeCycle()
    page = open_page(widget)
    live = page.evaluate(WALK, [widget.table, list(PROGRAMS), list(ACTIONS), LONGEST])
    for program, rows in zip(PROGRAMS, live, strict=True):
        ways = itertools.product(ACTIONS, repeat=LONGEST)
        for way, row in zip(ways, rows, strict=True):
            steps = LifeCycle.walk(way, program=program)
            assert row == " ".join(
                f"{s.action}:{s.status}:{'' if s.exit_code is None else s.exit_code}"
                f":{str(s.changed).lower()}:{s.answer[:3]}"
                for s in steps
            )


@pytest.mark.parametrize("program", PROGRAMS)
def test_coming_alive_changes_no_word(
    program: str, open_page: Callable[..., Page], said: list[str]
) -> None:
    widgets = [LifeCycle()] + [
        LifeCycle(history=[*WAYS[status], action], program=program)
        for status, row in OUTCOMES.items()
        for action, outcome in row.items()
        if outcome.to is not None
    ]
    page = open_page(*widgets)
    made, live = first_and_live(page, widgets)
    assert live == made
    assert said == []


def test_a_key_press_walks_the_diagram(open_page: Callable[..., Page], said: list[str]) -> None:
    page = open_page(LifeCycle())
    page.keyboard.press("Tab")  # the program
    page.keyboard.press("ArrowDown")
    assert page.locator("input:checked").get_attribute("value") == "ignores"
    page.keyboard.press("Tab")  # one stop for all actions
    page.keyboard.press("Enter")
    assert said_of(page).startswith("create → created")
    for key in ("ArrowRight", "Space"):
        page.keyboard.press(key)
    assert said_of(page).startswith("start → running")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert said_of(page).startswith("stop → exited (137)")
    assert (page.locator(".node.current").text_content() or "").strip() == "exited (137)"
    assert button(page, "stop").evaluate("element => element === document.activeElement")
    outline = button(page, "stop").evaluate("element => getComputedStyle(element).outlineWidth")
    assert outline == "3px"
    page.keyboard.press("End")
    assert button(page, "out of memory").evaluate("e => e === document.activeElement")
    page.keyboard.press("ArrowRight")
    assert button(page, "create").evaluate("e => e === document.activeElement")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # Back
    assert said_of(page).startswith("start → running")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # Reset
    assert said_of(page).startswith("start here → no container")
    assert said == []


def test_a_refused_action_says_what_the_engine_answers(open_page: Callable[..., Page]) -> None:
    page = open_page(LifeCycle(history=["create", "start"]))
    remove = button(page, "remove")
    assert remove.get_attribute("aria-disabled") == "true"
    assert "409 Conflict" in (remove.get_attribute("title") or "")
    press(page, "remove")
    assert said_of(page) == "remove: not now → still running Stop it first, or use force."
    assert "409 Conflict" in page.locator('[data-slot="answer"]').inner_text()
    assert page.locator('[data-slot="history"] li').count() == 2
    press(page, "stop")
    assert said_of(page).startswith("stop → exited (0)")


def test_a_refusal_goes_with_reset_even_if_nothing_was_done(
    open_page: Callable[..., Page],
) -> None:
    page = open_page(LifeCycle())
    press(page, "start")
    assert said_of(page).startswith("start: not now")
    page.locator('[data-undo="reset"]').dispatch_event("click")
    assert said_of(page).startswith("start here")


def test_another_program_replays_the_same_history(open_page: Callable[..., Page]) -> None:
    page = open_page(LifeCycle(history=["create", "start", "stop"]))
    for program, code in (("ignores", 137), ("init", 143), ("handles", 0)):
        page.check(f'[value="{program}"]')
        assert said_of(page).startswith(f"stop → exited ({code})")


def test_two_on_a_page_do_not_disturb_each_other(open_page: Callable[..., Page]) -> None:
    page = open_page(LifeCycle(), LifeCycle(program="init"))
    page.locator('[data-action="create"]').first.click()
    heads = page.locator('[data-slot="where"]')
    assert heads.all_inner_texts() == ["created", "no container"]
    checked = page.locator("input:checked")
    assert [box.get_attribute("value") for box in checked.all()] == ["handles", "init"]


def test_the_arrow_of_a_focused_action_stands_out(open_page: Callable[..., Page]) -> None:
    page = open_page(LifeCycle(history=["create", "start"]))
    button(page, "stop").focus()
    previewed = page.locator(".edge.preview")
    assert [edge.get_attribute("data-does") for edge in previewed.all()] == ["stop|kill"]


def test_it_works_with_the_network_cut(open_page: Callable[..., Page], said: list[str]) -> None:
    page = open_page(LifeCycle())
    page.context.set_offline(offline=True)
    press(page, "create", "start", "kill")
    assert said_of(page).startswith("kill → exited (137)")
    assert said == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("way", [[], ["create", "start"], ["create", "start", "pause", "kill"]])
def test_axe_finds_nothing(way: list[str], theme: str, open_page: Callable[..., Page]) -> None:
    page = open_page(LifeCycle(history=way), theme=theme)
    press(page, "pause")  # a refusal in two of the three, with colours of its own
    page.locator("details").evaluate("element => { element.open = true; }")
    assert violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("status", WAYS)
def test_the_drawing_can_be_read(status: str, theme: str, open_page: Callable[..., Page]) -> None:
    page = open_page(LifeCycle(history=WAYS[status]), theme=theme, reduced_motion="reduce")
    inks = page.evaluate(INKS)
    assert len(inks) > 40
    pale = [
        f"{what}: {ink} on {paper}: {contrast(ink, paper):.2f}"
        for what, ink, paper, least in inks
        if contrast(ink, paper) < least
    ]
    assert pale == []


def test_no_label_of_the_drawing_covers_another(open_page: Callable[..., Page]) -> None:
    assert open_page(LifeCycle()).evaluate(OVERLAPS) == []


@pytest.mark.parametrize("width", [320, 390, 768, 1350])
def test_it_fits_the_screen(width: int, open_page: Callable[..., Page]) -> None:
    page = open_page(LifeCycle(history=["create", "start"]), width=width)
    page.locator("details").evaluate("element => { element.open = true; }")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    scale = page.locator("svg").evaluate("svg => svg.getBoundingClientRect().width / 336")
    assert scale * 12 >= 9.5  # the drawing's small text, in pixels


def test_motion_stays_away_where_it_is_not_wanted(open_page: Callable[..., Page]) -> None:
    running = "() => document.getAnimations().length"
    for wish, moves in (("reduce", False), ("no-preference", True)):
        page = open_page(LifeCycle(), reduced_motion=wish)
        press(page, "create")
        assert (page.evaluate(running) > 0) is moves


def test_without_a_script_the_tables_tell_it(open_page: Callable[..., Page]) -> None:
    page = open_page(LifeCycle(), java_script_enabled=False)
    assert page.locator("button:visible").count() == 0
    page.locator("summary").click()
    row = page.locator("details table").first.locator("tr", has_text="out of memory")
    assert "→ exited (137)" in row.inner_text()


def test_jupyterlab_gives_an_empty_box_and_a_model(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    widget = LifeCycle(history=["create"])
    page = open_page(LifeCycle())
    seen = in_jupyterlab(
        page,
        widget,
        """
        el.querySelector('[data-action="start"]').click();
        return el.querySelector('[data-slot="where"]').textContent;
        """,
    )
    assert (seen["said"], seen["state"]["history"]) == ("running", ["create", "start"])
    assert (seen["calls"], seen["left"]) == (["saved"], 0)
    assert said == []
