from __future__ import annotations

import json
import random
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from site_visit import violations

from widgets import ScalingRace
from widgets.scaling_race import _NO_RISE, INPUTS, Race, _run, _view

from .conftest import contrast, first_and_live, in_jupyterlab

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

RACED, SHOWN, SEED = 15_000, 500, 20190622
RACES = """async ([table, races]) => {
  const { runRace } = await import("./scaling_race.js");
  return JSON.parse(races).map((race) => Object.values(runRace(race)).map((run) =>
    [run.steps.join("+"), run.fitsAfter, run.unserved, run.spare, run.drainedAfter ?? "never"]
      .join(":")).join(" "));
}"""
VIEWS = """async ([table, races]) => {
  const { view } = await import("./scaling_race.js");
  return JSON.parse(races).map((race) => JSON.stringify(view(table, race)));
}"""
INKS = """() => {
  const root = document.querySelector(".scaling-race");
  const paper = getComputedStyle(root).backgroundColor;
  const tint = getComputedStyle(root.querySelector("path.area")).fill;
  const ink = (part, of, behind, least) =>
    [part.outerHTML.slice(0, 60), getComputedStyle(part)[of], behind, least];
  const lines = [...root.querySelectorAll("svg path")];
  return [
    ...[...root.querySelectorAll("svg text")].map((part) => ink(part, "fill", paper, 4.5)),
    ...lines.flatMap((part) => [paper, tint].map((behind) => ink(part, "stroke", behind, 3))),
  ];
}"""


def draw(count: int) -> list[Race]:
    """Draws races, small ones and large ones; half of them with figures near each other."""
    dice, drawn = random.Random(SEED), []  # noqa: S311
    while len(drawn) < count:
        least = dice.choice([1, 5, 50])
        span = {
            name: dice.randint(each.least, min(each.most, dice.choice([least * 20, each.most])))
            for name, each in INPUTS.items()
        }
        if span["after"] > span["before"]:
            drawn.append(Race(**span))
    return drawn


def line_of(race: Race) -> str:
    return " ".join(
        ":".join(
            [
                "+".join(f"{second},{many}" for second, many in run.steps),
                *map(str, (run.fits_after, run.unserved, run.spare)),
                "never" if run.drained_after is None else str(run.drained_after),
            ]
        )
        for run in _run(race).values()
    )


def says(page: Page, slot: str) -> str:
    return page.locator(f'[data-slot="{slot}"]').inner_text()


def test_python_and_the_page_give_the_same_numbers(
    open_page: Callable[..., Page], record_count: Callable[[str], None]
) -> None:
    widget, races = ScalingRace(), draw(RACED)
    page = open_page(widget)
    live = page.evaluate(RACES, [widget.table, json.dumps([asdict(race) for race in races])])
    assert live == [line_of(race) for race in races]
    views = page.evaluate(
        VIEWS, [widget.table, json.dumps([asdict(race) for race in races[:SHOWN]])]
    )
    for seen, race in zip(views, races, strict=False):
        assert json.loads(seen) == _view(race), race
    record_count(f"{len(live)} scaling races, and of {len(views)} all that is said and drawn")


def test_coming_alive_changes_no_word(open_page: Callable[..., Page], said: list[str]) -> None:
    widgets = [
        ScalingRace(),
        ScalingRace(inputs={"room": 2, "after": 900}),
        ScalingRace(inputs={"before": 850, "after": 900}),
    ]
    page = open_page(*widgets)
    made, live = first_and_live(page, widgets)
    assert live == made
    assert said == []


def test_a_key_press_runs_another_race(open_page: Callable[..., Page], said: list[str]) -> None:
    page = open_page(ScalingRace())
    page.context.set_offline(offline=True)
    for _ in range(7):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")  # the last field: a task that starts a second sooner
    seen = _view(Race(task=9))
    assert says(page, "headline") == seen["headline"]
    assert page.locator('[data-row="tasks"] td').all_inner_texts() == seen["rows"]["tasks"]
    drawn = page.locator('[data-way="tasks"] .capacity')
    assert drawn.get_attribute("d") == seen["drawn"]["tasks"]["capacity"]
    field = page.get_by_role("spinbutton", name="Seconds until a new task serves")
    assert field.input_value() == "9"
    assert field.evaluate("e => getComputedStyle(e).outlineWidth") == "3px"
    assert page.get_by_role("status").count() == 2
    assert said == []


def test_bad_input_is_said_and_the_race_of_before_stays(open_page: Callable[..., Page]) -> None:
    page = open_page(ScalingRace())
    before = says(page, "headline")
    for name, value, words in (
        ("task", "0", INPUTS["task"].wrong),
        ("machine", "", INPUTS["machine"].wrong),
        ("room", "1.5", INPUTS["room"].wrong),
        ("after", "400", _NO_RISE),
    ):
        field = page.locator(f'[name="{name}"]')
        good = field.input_value()
        field.fill(value)
        assert says(page, "trouble") == f"{words} What stands below is as before."
        assert field.get_attribute("aria-invalid") == "true"
        assert says(page, "headline") == before
        field.fill(good)
        assert says(page, "trouble") == ""
    assert page.locator("[aria-invalid]").count() == 0


@pytest.mark.parametrize(("theme", "width"), [("light", 390), ("light", 1350), ("dark", 1350)])
def test_axe_finds_nothing_and_the_drawing_can_be_read(
    theme: str, width: int, open_page: Callable[..., Page]
) -> None:
    page = open_page(ScalingRace(inputs={"room": 2}), theme=theme, width=width)
    page.locator('[name="task"]').fill("")
    page.locator("details").evaluate("element => { element.open = true; }")
    assert violations(page) == []
    inks = page.evaluate(INKS)
    assert len(inks) > 20
    assert [what for what, ink, paper, least in inks if contrast(ink, paper) < least] == []


def test_it_fits_the_screen(open_page: Callable[..., Page]) -> None:
    page = open_page(ScalingRace(inputs={"after": 100_000, "each": 1}), width=320)
    page.locator("details").evaluate("element => { element.open = true; }")
    for width in (320, 390, 768):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_without_a_script_the_race_can_be_read(open_page: Callable[..., Page]) -> None:
    page = open_page(ScalingRace(), java_script_enabled=False)
    assert page.locator('[name="task"]').is_disabled()
    assert page.locator('[data-row="tasks"]').is_visible()
    page.locator("summary").click()
    assert page.get_by_text("no figure of AWS's was found", exact=False).is_visible()


def test_a_module_that_fails_leaves_the_race(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    page = open_page(ScalingRace(), ready="failed", module="throw new Error('broken');")
    assert page.get_by_text("This widget did not start.").is_visible()
    assert page.locator('[data-row="tasks"]').is_visible()
    assert said


def test_jupyterlab_gives_an_empty_box_and_a_model(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    seen = in_jupyterlab(
        open_page(ScalingRace()),
        ScalingRace(inputs={"notice": 60}),
        """
        const head = () => el.querySelector('[data-slot="headline"]').textContent;
        const task = el.querySelector('[name="task"]');
        task.value = "4";
        task.dispatchEvent(new Event("input", { bubbles: true }));
        const first = head();
        model.set("inputs", { ...model.get("inputs"), task: 30 });  // from Python
        return [first, head()];
        """,
    )
    assert seen["said"][0].startswith("Tasks fit the load after 64 s")
    assert seen["said"][1].startswith("Tasks fit the load after 90 s")
    assert (seen["calls"], seen["left"]) == (["saved"], 0)
    assert said == []
