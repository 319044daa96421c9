from __future__ import annotations

import json
import random
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from site_visit import violations

from facts import load_facts
from facts.costs import Service, crossings, load_costs, monthly_cost
from widgets import CostCrossover
from widgets.cost_crossover import _view, age_of_prices

from .conftest import first_and_live, in_jupyterlab

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

TABLE = load_costs()
PRICES = load_facts().prices
NOW = str(PRICES.as_of)  # the page takes the reader's day else, and a test reads no clock
SUMMED, SHOWN, SEED = 12_000, 300, 20190622
SUMS = """async ([table, services]) => {
  const { monthlyCost } = await import("./cost_crossover.js");
  return services.map((service) => monthlyCost(table, service).map((cost) =>
    [cost.hosts, cost.out, ...table.lines.flatMap((line) =>
      [cost.lines[line] ?? "", cost.most[line] ?? ""])].join(":")).join(" "));
}"""
VIEWS = """async ([table, services]) => {
  const { view, crossings } = await import("./cost_crossover.js");
  return services.map((service) => JSON.stringify([
    view(table, service),
    crossings(table, service).map(({ way, than, by, at }) => [way, than, by, at]),
  ]));
}"""


def draw(count: int) -> list[dict[str, Any]]:
    dice = random.Random(SEED)  # noqa: S311
    drawn = []
    for _ in range(count):
        vcpu = dice.choice(list(TABLE.sizes))
        span = {name: dice.randint(each.least, each.most) for name, each in TABLE.inputs.items()}
        network, memory = dice.choice(list(TABLE.networks)), dice.choice(TABLE.sizes[vcpu])
        drawn.append(asdict(Service(vcpu=vcpu, memory=memory, network=network, **span)))
    return drawn


def line_of(service: dict[str, Any]) -> str:
    return " ".join(
        ":".join(
            str(part)
            for part in (
                cost.hosts,
                cost.out,
                *(each.get(line, "") for line in TABLE.lines for each in (cost.lines, cost.most)),
            )
        )
        for cost in monthly_cost(**service).values()
    )


def shown(page: Page) -> str:
    return page.locator('[data-slot="headline"]').inner_text()


def trouble(page: Page) -> str:
    return page.locator('[data-slot="trouble"]').inner_text()


def set_to(page: Page, name: str, value: str) -> None:
    field = page.locator(f'[name="{name}"]')
    if field.evaluate("field => field.tagName") == "SELECT":
        field.select_option(value)
    else:
        field.fill(value)


def test_python_and_the_page_give_the_same_cents(
    open_page: Callable[..., Page], record_count: Callable[[str], None]
) -> None:
    widget, services = CostCrossover(today=NOW), draw(SUMMED)
    live = open_page(widget).evaluate(SUMS, [widget.table, services])
    assert live == [line_of(service) for service in services]
    record_count(f"{len(live)} services, each line of {len(TABLE.ways)} sums, to the cent")


def test_python_and_the_page_say_the_same(
    open_page: Callable[..., Page], record_count: Callable[[str], None]
) -> None:
    widget, services = CostCrossover(today=NOW), draw(SHOWN)
    live = open_page(widget).evaluate(VIEWS, [widget.table, services])
    for seen, service in zip(live, services, strict=True):
        found = [[each.way, each.than, each.by, each.at] for each in crossings(Service(**service))]
        assert json.loads(seen) == [_view(Service(**service)), found], service
    record_count(f"{len(live)} services, all that is said of them, crossings included")


def test_coming_alive_changes_no_word(open_page: Callable[..., Page], said: list[str]) -> None:
    widgets = [
        CostCrossover(today=NOW),
        CostCrossover(today="2028-01-01", inputs={"vcpu": 4, "memory": 20, "network": "public"}),
        CostCrossover(
            today=NOW, inputs={"tasks": 30, "hours": 8, "full": 95, "vcpu": 0.25, "memory": 0.5}
        ),
    ]
    page = open_page(*widgets)
    made, live = first_and_live(page, widgets)
    assert live == made
    assert said == []


def test_a_key_press_changes_the_sums(open_page: Callable[..., Page], said: list[str]) -> None:
    page = open_page(CostCrossover(today=NOW))
    page.context.set_offline(offline=True)
    before = shown(page)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")  # one task more
    assert page.locator('[name="tasks"]').input_value() == "21"
    after = f"${monthly_cost(tasks=21)['fargate'].total / 100:,.2f}"
    assert shown(page) != before
    assert after in shown(page)
    assert page.locator('[data-row="fargate"] [data-line="sum"]').inner_text() == after
    assert page.locator('[data-way="fargate"].best .sum').inner_text() == after
    outline = page.locator('[name="tasks"]').evaluate("e => getComputedStyle(e).outlineWidth")
    assert outline == "3px"
    assert page.get_by_role("spinbutton", name="Hosts filled").input_value() == "60"
    assert page.get_by_role("status").count() == 2
    assert said == []


def test_bad_input_is_said_and_the_sums_stay(open_page: Callable[..., Page]) -> None:
    page = open_page(CostCrossover(today=NOW))
    before = shown(page)
    for name, value in (("tasks", "0"), ("tasks", ""), ("hours", "2.5"), ("logs", "-1")):
        set_to(page, name, value)
        span = TABLE.inputs[name]
        words = f"{span.asks}: a whole number from {span.least} to {span.most}."
        assert words in trouble(page)
        assert trouble(page).endswith("The sums are those of before.")
        assert page.locator(f'[name="{name}"]').get_attribute("aria-invalid") == "true"
        assert shown(page) == before
    for name, value in (("tasks", "20"), ("hours", "24"), ("logs", "20")):
        set_to(page, name, value)
    assert trouble(page) == ""
    assert page.locator("[aria-invalid]").count() == 0


def test_another_size_brings_its_own_memory(open_page: Callable[..., Page]) -> None:
    page = open_page(CostCrossover(today=NOW))
    set_to(page, "vcpu", "8")
    assert trouble(page) == "Fargate has no task of 8 vCPU and 2 GB: the memory is now 16 GB."
    options = page.locator('[name="memory"] option').all_inner_texts()
    assert options == [f"{memory:g} GB" for memory in TABLE.sizes[8]]
    set_to(page, "memory", "20")
    assert trouble(page) == ""
    assert page.locator('[data-way="ec2"] .sum').inner_text().startswith("One task is larger")
    set_to(page, "network", "public")
    wanted = monthly_cost(vcpu=8, memory=20, network="public")["fargate"].total
    assert f"${wanted / 100:,.2f}" in shown(page)


def test_the_age_is_told_by_the_reader_s_own_day(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    page = open_page(CostCrossover())
    age = page.locator('[data-slot="age"]')
    for day in ("2026-12-01", "2027-06-01"):
        page.clock.set_fixed_time(f"{day}T12:00:00")
        set_to(page, "tasks", "1" if day < "2027" else "2")
        told = age_of_prices(PRICES.as_of.fromisoformat(day))
        assert (age.text_content(), age.is_visible()) == (told, bool(told))
    assert said == []


@pytest.mark.parametrize(("theme", "width"), [("light", 390), ("light", 1350), ("dark", 1350)])
def test_axe_finds_nothing(theme: str, width: int, open_page: Callable[..., Page]) -> None:
    page = open_page(CostCrossover(today="2028-01-01"), theme=theme, width=width)
    set_to(page, "tasks", "0")
    page.locator("details").evaluate("element => { element.open = true; }")
    assert violations(page) == []


def test_it_fits_the_screen(open_page: Callable[..., Page]) -> None:
    page = open_page(CostCrossover(today="2028-01-01"), width=320)
    page.locator("details").evaluate("element => { element.open = true; }")
    for width in (320, 390, 768):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_without_a_script_the_first_sums_can_be_read(open_page: Callable[..., Page]) -> None:
    page = open_page(CostCrossover(), java_script_enabled=False)
    assert page.locator('[name="tasks"]').is_disabled()
    assert page.locator('[data-row="fargate"]').is_visible()
    page.locator("summary").click()
    assert page.get_by_text("A NAT gateway", exact=True).is_visible()


def test_a_module_that_fails_leaves_the_sums(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    page = open_page(CostCrossover(), ready="failed", module="throw new Error('broken');")
    assert page.get_by_text("This widget did not start.").is_visible()
    assert page.locator('[data-row="fargate"]').is_visible()
    assert said


def test_jupyterlab_gives_an_empty_box_and_a_model(
    open_page: Callable[..., Page], said: list[str]
) -> None:
    widget = CostCrossover(today=NOW)
    seen = in_jupyterlab(
        open_page(CostCrossover(today=NOW)),
        widget,
        """
        const head = () => el.querySelector('[data-slot="headline"]').textContent;
        const tasks = el.querySelector('[name="tasks"]');
        tasks.value = "4";
        tasks.dispatchEvent(new Event("input", { bubbles: true }));
        const first = head();
        const inputs = model.get("inputs");
        model.set("inputs", { ...inputs, vcpu: 0.25, memory: 0.5 });  // from Python
        const memory = el.querySelector('[name="memory"]').value;
        return { heads: [first, head()], inputs, memory };
        """,
    )
    told = seen["said"]
    assert told["inputs"] == {**widget.inputs, "tasks": 4}
    totals = [monthly_cost(tasks=4), monthly_cost(tasks=4, vcpu=0.25, memory=0.5)]
    for head, costs in zip(told["heads"], totals, strict=True):
        assert f"${costs['fargate'].total / 100:,.2f}" in head
    assert told["memory"] == "0.5"
    assert (seen["calls"], seen["left"]) == (["saved"], 0)
    assert said == []
