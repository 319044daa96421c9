from __future__ import annotations

import itertools
import json
import random
from dataclasses import asdict, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from site_visit import violations

from widgets import Placement
from widgets.placement import (
    _CPUS,
    _MEMORIES,
    _MOST,
    _WRONG,
    FLEETS,
    STRATEGIES,
    Placed,
    Request,
    _view,
)

from .conftest import first_and_live, in_jupyterlab

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

SHOWN, SEED = 400, 20190622
PLACES = """async ([table, requests]) => {
  const { place } = await import("./placement.js");
  return JSON.parse(requests).map((request) => {
    const placed = place(table, request);
    const words = request.tasks === table.most ? placed.map(({ why }) => why) : [];
    return [placed.map(({ host }) => host ?? "-").join(" "), ...words].join("|");
  });
}"""
VIEWS = """async ([table, asked]) => {
  const { view } = await import("./placement.js");
  return JSON.parse(asked).map((each) => JSON.stringify(view(table, ...each)));
}"""


def all_requests() -> list[Request]:
    choices = (FLEETS, STRATEGIES, (False, True), range(1, _MOST + 1), _CPUS, _MEMORIES)
    return [Request(*choice) for choice in itertools.product(*choices)]


@cache
def most_of(request: Request) -> list[Placed]:
    return request.place()


def told(request: Request) -> str:
    # Fewer tasks go where the first of more go; test_placement.py proves it.
    placed = most_of(replace(request, tasks=_MOST))[: request.tasks]
    words = [task.why for task in placed] if request.tasks == _MOST else []
    return "|".join([" ".join(task.host or "-" for task in placed), *words])


def says(page: Page, slot: str) -> str:
    return page.locator(f'[data-slot="{slot}"]').inner_text()


def test_python_and_the_page_place_every_task_alike(
    open_page: Callable[..., Page], record_count: Callable[[str], None]
) -> None:
    widget, requests = Placement(), all_requests()
    written = json.dumps([asdict(request) for request in requests])
    live = open_page(widget).evaluate(PLACES, [widget.table, written])
    for seen, request in zip(live, requests, strict=True):
        assert seen == told(request), request
    tasks = sum(request.tasks for request in requests)
    record_count(f"{tasks} tasks placed, all {len(live)} combinations of the form of placement")


def test_python_and_the_page_say_the_same(
    open_page: Callable[..., Page], record_count: Callable[[str], None]
) -> None:
    dice = random.Random(SEED)  # noqa: S311
    asked: list[tuple[Request, int | None, str]] = []
    for request in dice.sample(all_requests(), SHOWN):
        lost = dice.choice(["", *(host.name for host in request.hosts)])
        asked.append((request, dice.choice([None, dice.randint(0, request.tasks)]), lost))
    widget = Placement()
    written = json.dumps([(asdict(request), *rest) for request, *rest in asked])
    live = open_page(widget).evaluate(VIEWS, [widget.table, written])
    for seen, each in zip(live, asked, strict=True):
        assert json.loads(seen) == _view(*each), each
    record_count(f"{len(live)} placements, all that is said of them, with and without a lost host")


def test_coming_alive_changes_no_word(open_page: Callable[..., Page], said: list[str]) -> None:
    widgets = [
        Placement(),
        Placement(inputs={"fleet": "mixed", "strategy": "cpu", "tasks": 24}, lost="c1"),
        Placement(inputs={"distinct": True, "tasks": 8, "memory": 4096}, shown=7, lost="b2"),
        Placement(inputs={"fleet": "uneven"}, shown=0),
    ]
    page = open_page(*widgets)
    made, live = first_and_live(page, widgets)
    assert live == made
    assert said == []


def test_keys_alone_place_task_by_task_and_lose_a_host(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    page = open_page(Placement())
    page.context.set_offline(offline=True)
    page.keyboard.press("Tab")  # the strategy
    page.keyboard.press("ArrowDown")
    assert says(page, "last").startswith("Task 10 goes to b2. Fewest tasks (1): b2, c1, c2.")
    for _ in range(6):  # over hosts, tasks, CPU, memory and the constraint, to the first button
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert says(page, "headline") == "0 of 10 tasks are placed, on 0 of 6 hosts."
    assert page.locator('[data-step="none"]').get_attribute("aria-disabled") == "true"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    assert says(page, "last").startswith("Task 2 goes to a2. Fewest tasks (0): a2, b1, b2, c1, c2.")
    assert page.locator('[data-slot="rows"] tr').count() == 2
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # place all
    assert says(page, "headline") == "10 of 10 tasks are placed, on 6 of 6 hosts."
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # lose a1
    assert says(page, "says").startswith("a1 is gone, and with it 2 of 10 tasks")
    assert page.get_by_role("button", name="Lose a1").get_attribute("aria-pressed") == "true"
    assert says(page, "lost") == "a1"
    outline = page.locator(":focus").evaluate("e => getComputedStyle(e).outlineWidth")
    assert outline == "3px"
    page.keyboard.press("Enter")  # and bring it back
    assert says(page, "says").startswith("One host takes at most")
    assert page.get_by_role("status").count() == 2
    assert said == []


def test_an_answer_of_before_stays_where_the_number_of_tasks_is_wrong(
    open_page: Callable[..., Page],
) -> None:
    page = open_page(Placement())
    tasks, before = page.get_by_role("spinbutton", name="Tasks"), says(page, "headline")
    for wrong in ("0", "", "2.5", str(_MOST + 1)):
        tasks.fill(wrong)
        assert says(page, "trouble") == f"{_WRONG} What stands below is as before."
        assert tasks.get_attribute("aria-invalid") == "true"
        assert says(page, "headline") == before
    tasks.fill("10")
    assert says(page, "trouble") == ""
    assert page.locator("[aria-invalid]").count() == 0


def test_what_finds_no_host_is_said_and_a_host_of_another_fleet_comes_back(
    open_page: Callable[..., Page],
) -> None:
    page = open_page(Placement())
    page.get_by_role("checkbox").check()
    assert says(page, "headline").endswith("placed, on 6 of 6 hosts. 4 find no host.")
    assert "Has a task already: a1, a2, b1, b2, c1, c2." in says(page, "last")
    page.get_by_role("checkbox").uncheck()
    page.locator('[name="memory"]').select_option("4096")
    assert "Not enough memory: a1, a2, b1, b2, c1, c2." in says(page, "last")
    page.get_by_role("button", name="Lose a2").click()
    page.locator('[name="fleet"]').select_option("uneven")
    assert says(page, "lost") == "a lost host"
    assert page.locator(".hosts .lost").count() == 0
    assert page.get_by_role("button", name="Lose c3").is_visible()


@pytest.mark.parametrize(("theme", "width"), [("light", 390), ("light", 1350), ("dark", 1350)])
def test_axe_finds_nothing(theme: str, width: int, open_page: Callable[..., Page]) -> None:
    page = open_page(Placement(lost="b1", shown=8), theme=theme, width=width)
    page.locator('[name="tasks"]').fill("0")
    page.locator("details").evaluate("element => { element.open = true; }")
    assert violations(page) == []


def test_it_fits_the_screen(open_page: Callable[..., Page]) -> None:
    page = open_page(Placement(inputs={"fleet": "mixed", "tasks": 24}, lost="c1"), width=320)
    page.locator("details").evaluate("element => { element.open = true; }")
    for width in (320, 390, 768):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        titles = page.locator("caption").evaluate_all(
            "all => all.map((each) => [each.clientWidth, each.closest('div').clientWidth])"
        )
        assert all(title <= room for title, room in titles)


def test_paper_shows_each_task(open_page: Callable[..., Page]) -> None:
    page = open_page(Placement(inputs={"tasks": 24}))
    hidden = "list => list.scrollHeight - list.clientHeight"
    assert page.locator(".why").evaluate(hidden) > 0
    page.emulate_media(media="print")
    assert page.locator(".why").evaluate(hidden) == 0


def test_without_a_script_the_placement_can_be_read(open_page: Callable[..., Page]) -> None:
    page = open_page(Placement(), java_script_enabled=False)
    assert page.locator('[name="tasks"]').is_disabled()
    assert page.locator('[data-row="zones"]').is_visible()
    assert page.locator('[data-slot="rows"] tr').count() == 10
    assert page.get_by_role("button").count() == 0
    page.locator("summary").click()
    assert page.get_by_text("A constraint is binding", exact=False).is_visible()


def test_a_module_that_fails_leaves_the_placement(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    page = open_page(Placement(), ready="failed", module="throw new Error('broken');")
    assert page.get_by_text("This widget did not start.").is_visible()
    assert page.locator('[data-row="zones"]').is_visible()
    assert said


def test_jupyterlab_gives_an_empty_box_and_a_model(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    seen: dict[str, Any] = in_jupyterlab(
        open_page(Placement()),
        Placement(),
        """
        const head = () => el.querySelector('[data-slot="headline"]').textContent;
        const tasks = el.querySelector('[name="tasks"]');
        tasks.value = "4";
        tasks.dispatchEvent(new Event("input", { bubbles: true }));
        const first = head();
        model.set("inputs", { ...model.get("inputs"), distinct: true, tasks: 7 });  // from Python
        return [first, head()];
        """,
    )
    assert seen["said"][0].startswith("4 of 4 tasks are placed, on 4 of 6 hosts.")
    assert seen["said"][1].endswith("6 of 7 tasks are placed, on 6 of 6 hosts. 1 finds no host.")
    assert (seen["calls"], seen["left"]) == (["saved"], 0)
    assert said == []
