from __future__ import annotations

import datetime as dt
import re
from dataclasses import asdict

import pytest

from facts import load_facts
from facts.costs import Service, cheapest_of, limits_used, load_costs, monthly_cost, prices_used
from widgets import CostCrossover
from widgets.cost_crossover import age_of_prices

NONE = "\N{EN DASH}"


def test_the_first_paint_is_a_table_of_every_line() -> None:
    markup = CostCrossover().markup
    costs = monthly_cost()
    for way, cost in costs.items():
        row = re.search(rf'<tr data-row="{way}">(.*?)</tr>', markup)[1]
        for line, cents in cost.most.items():
            assert f"${cents / 100:,.2f}" in row or f'data-line="{line}">{NONE}' in row
    assert f"${cheapest_of(costs).total / 100:,.2f} a month." in markup


def test_every_price_shows_its_source_and_whether_it_is_second_hand() -> None:
    markup, facts = CostCrossover().markup, load_facts()
    prices = [facts.prices.rows[name] for name in prices_used()]
    limits = [facts.limits.rows[name] for name in limits_used()]
    for row, words in [(row, row.what) for row in prices] + [(row, row.says) for row in limits]:
        assert words in markup
        assert facts.sources.rows[row.sources[0]].url in markup
    second_hand = [row.confidence == "second-hand" for row in (*prices, *limits)]
    assert markup.count("<mark>second-hand</mark>") == sum(second_hand)
    told = f"{sum(second_hand[: len(prices)])} of {len(prices)} are second-hand"
    assert told in markup


def test_it_says_what_it_leaves_out_outside_of_any_fold() -> None:
    open_part = CostCrossover().markup.partition("<details>")[0]
    for line in load_costs().left_out:
        assert line in open_part.replace("&#39;", "'")


def test_the_text_names_each_way_and_its_sum() -> None:
    text = repr(CostCrossover(inputs={"tasks": 3}))
    assert text.startswith("3 tasks of 1 vCPU and 2 GB, 24 hours a day: a month in us-east-1")
    for way in load_costs().ways.values():
        assert f"{way.name}: $" in text
    assert "where hosts are at least" in repr(CostCrossover())


def test_what_is_left_out_of_the_inputs_is_as_at_first() -> None:
    assert CostCrossover(inputs={"tasks": 3}).inputs == asdict(Service(tasks=3))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"inputs": {"task": 3}}, "no input 'task'. Known: tasks, vcpu, memory"),
        ({"inputs": {"tasks": 0}}, "Tasks: a whole number from 1 to 200."),
        ({"inputs": {"vcpu": 4}}, "Fargate has no task of 4 vCPU and 2 GB. With 4 vCPU it has 8"),
        ({"today": "soon"}, "today: a day such as 2026-11-23, not 'soon'."),
    ],
)
def test_bad_input_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        CostCrossover(**options)


def test_old_prices_say_so() -> None:
    prices = load_facts().prices
    edge = prices.as_of + dt.timedelta(days=prices.amber_after_days)
    assert age_of_prices(edge) == ""
    late = edge + dt.timedelta(days=1)
    told = age_of_prices(late)
    assert told.startswith(f"These prices are {prices.amber_after_days + 1} days old on {late}")
    assert f'data-slot="age">{told}'.replace("'", "&#39;") in CostCrossover(today=str(late)).markup
    assert 'data-slot="age" hidden></p>' in CostCrossover(today=str(edge)).markup
    assert 'data-slot="age" hidden></p>' in CostCrossover().markup
