from __future__ import annotations

import doctest
import html
import itertools
import re
from collections import Counter
from dataclasses import asdict, replace

import pytest

from facts import load_facts
from widgets import Host, Placement, place_tasks, placement
from widgets.placement import FLEETS, STRATEGIES, Request

EVEN = [Host(name, name[0], 2048, 4096) for name in ("a1", "a2", "b1", "b2")]
ZONE = "attribute:ecs.availability-zone"
INSTANCES = [{"type": "spread", "field": "instanceId"}]
MEMORY = [{"type": "binpack", "field": "memory"}]
DISTINCT = [{"type": "distinctInstance"}]


def went(count: int, hosts: list[Host] = EVEN, **options: object) -> list[str | None]:
    placed = place_tasks(hosts, count, **{"cpu": 512, "memory": 1024, **options})
    return [task.host for task in placed]


def test_a_service_s_default_spreads_over_zones_and_then_over_hosts() -> None:
    assert went(6) == ["a1", "b1", "a2", "b2", "a1", "b1"]
    uneven = [Host("a1", "a", 2048, 4096), *EVEN[2:], Host("b3", "b", 2048, 4096)]
    assert went(6, uneven) == ["a1", "b1", "b2", "a1", "b3", "a1"]


def test_spread_over_hosts_does_not_see_zones() -> None:
    uneven = [Host("a1", "a", 2048, 4096), *EVEN[2:], Host("b3", "b", 2048, 4096)]
    assert went(5, uneven, strategy=INSTANCES) == ["a1", "b1", "b2", "b3", "a1"]
    host = [{"type": "spread", "field": "host"}]
    assert went(5, uneven, strategy=host) == went(5, uneven, strategy=INSTANCES)


def test_binpack_takes_the_host_with_the_least_left_that_is_enough() -> None:
    hosts = [Host("big", "a", 4096, 8192), Host("small", "b", 2048, 3072)]
    assert went(5, hosts, strategy=MEMORY) == ["small", "small", "small", "big", "big"]
    by_cpu = [Host("lean", "a", 1024, 8192), Host("wide", "b", 4096, 2048)]
    assert went(3, by_cpu, strategy=[{"type": "binpack", "field": "cpu"}]) == [
        "lean",
        "lean",
        "wide",
    ]
    assert went(3, by_cpu, strategy=MEMORY) == ["wide", "wide", "lean"]


def test_a_second_strategy_decides_where_the_first_is_undecided() -> None:
    both = [{"type": "spread", "field": ZONE}, *MEMORY]
    assert went(6, strategy=both) == ["a1", "b1", "a1", "b1", "a1", "b1"]


def test_a_constraint_is_binding_and_a_strategy_is_not() -> None:
    assert went(5, constraints=DISTINCT) == ["a1", "b1", "a2", "b2", None]
    lonely = [Host("a1", "a", 2048, 4096), Host("b1", "b", 512, 1024)]
    assert went(4, lonely) == ["a1", "b1", "a1", "a1"]


def test_the_reason_says_what_ruled_hosts_out_and_what_decided() -> None:
    hosts = [Host("a1", "a", 512, 512), Host("b1", "b", 256, 4096), Host("c1", "c", 256, 256)]
    nowhere = place_tasks([*hosts, EVEN[1]], 2, cpu=512, memory=1024, constraints=DISTINCT)
    assert nowhere[0].why == (
        "Not enough memory: a1. Not enough CPU: b1. Not enough CPU and memory: c1. Only a2 is left."
    )
    assert nowhere[1].why.endswith("Not enough CPU and memory: c1. Has a task already: a2.")
    second = place_tasks(EVEN, 2, cpu=512, memory=1024)[1]
    assert second.why == (
        "Fewest tasks (0): zone b. Fewest tasks (0): b1, b2. b1 is the first of them."
    )
    packed = place_tasks(EVEN, 2, cpu=512, memory=1024, strategy=MEMORY)[1]
    assert packed.why == "Least memory left (3,072 MiB): a1."
    assert place_tasks([], 1, cpu=1, memory=1)[0].why == "There is no host."


def test_what_runs_already_counts() -> None:
    assert went(2, running={"a1": 4, "b1": 1}) == ["b2", "b1"]


def test_fewer_tasks_go_where_the_first_of_more_go() -> None:
    for fleet, strategy in itertools.product(FLEETS, STRATEGIES):
        more = Request(fleet=fleet, strategy=strategy, tasks=24)
        assert all(replace(more, tasks=n).place() == more.place()[:n] for n in (1, 7, 23))


def test_no_host_is_ever_over_full() -> None:
    for name in STRATEGIES:
        for fleet in FLEETS:
            request = Request(fleet=fleet, strategy=name, tasks=24, cpu=1024, memory=2048)
            on = Counter(task.host for task in request.place() if task.host)
            for host in request.hosts:
                assert on[host.name] * request.cpu <= host.cpu
                assert on[host.name] * request.memory <= host.memory


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"count": -1}, "count: a whole number, at least 0, not -1."),
        ({"count": True}, "count: a whole number, at least 0, not True."),
        ({"cpu": 0}, "cpu: a whole number, at least 1, not 0."),
        ({"memory": 0.5}, "memory: a whole number, at least 1, not 0.5."),
        ({"hosts": [EVEN[0], EVEN[0]]}, "2 hosts are called 'a1': give each a name of its own."),
        ({"strategy": [{"type": "random"}]}, "No strategy 'random' here: spread or binpack."),
        ({"strategy": [{"type": "binpack", "field": "disk"}]}, "binpack by 'disk': cpu or memory."),
        ({"strategy": [{"type": "spread"}]}, f"spread by None: {ZONE} or instanceId or host."),
        ({"constraints": [{"type": "memberOf"}]}, "No constraint 'memberOf' here: distinctInst"),
    ],
)
def test_bad_input_of_the_function_is_refused(options: dict[str, object], said: str) -> None:
    asked = {"hosts": EVEN, "count": 1, "cpu": 512, "memory": 1024, **options}
    with pytest.raises(ValueError, match=re.escape(said)):
        place_tasks(asked.pop("hosts"), asked.pop("count"), **asked)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"inputs": {"task": 3}}, "no input 'task'. Known: fleet, strategy, distinct, tasks"),
        ({"inputs": {"tasks": 25}}, "Tasks: a whole number from 1 to 24."),
        ({"inputs": {"tasks": True}}, "Tasks: a whole number from 1 to 24."),
        ({"inputs": {"strategy": "random"}}, "strategy: one of zones, instances, memory"),
        ({"inputs": {"cpu": 333}}, "cpu: one of 256, 512, 1024, 2048, not 333."),
        ({"inputs": {"distinct": 1}}, "distinct: True or False, not 1."),
        ({"shown": -1}, "shown: a whole number, at least 0, not -1."),
        ({"lost": "c3"}, "lost: one of a1, a2, b1, b2, c1, c2, not 'c3'."),
    ],
)
def test_bad_input_of_the_widget_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Placement(**options)


def test_what_is_left_out_of_the_inputs_is_as_at_first() -> None:
    assert Placement(inputs={"tasks": 3}).inputs == asdict(Request(tasks=3))


def test_the_first_paint_is_a_table_of_every_task() -> None:
    widget = Placement(inputs={"tasks": 24, "cpu": 1024, "memory": 2048})
    for task in widget.placed:
        row = (
            f'<th scope="row">{task.task}</th><td>{task.host or "no host"}</td><td>{task.why}</td>'
        )
        assert row in widget.markup
    assert "12 of 24 tasks are placed, on 6 of 6 hosts. 12 find no host." in widget.markup
    assert len(Placement(inputs={"tasks": 24}, shown=5).placed) == 5


def test_a_lost_host_takes_its_tasks_and_says_what_finds_room() -> None:
    spread = Placement(lost="a1").markup
    assert "a1 is gone, and with it 2 of 10 tasks (20\N{NO-BREAK SPACE}%). All of them" in spread
    packed = Placement(inputs={"strategy": "memory"}, lost="a1").markup
    assert "a1 is gone, and with it 4 of 10 tasks (40\N{NO-BREAK SPACE}%)." in packed
    assert "With “spread over zones” it is 2 of 10 (20\N{NO-BREAK SPACE}%)." in packed
    assert "3 hosts stay empty." in packed
    alone = Placement(inputs={"distinct": True, "tasks": 6}, lost="a1").markup
    assert "None of them finds room on the other hosts." in alone
    tight = Placement(inputs={"tasks": 22}, lost="a1").markup
    assert "2 of them find room on the other hosts." in tight
    empty = Placement(inputs={"strategy": "memory"}, lost="c2").markup
    assert "c2 is gone. No task ran on it." in empty
    assert "Place the first task to see" in Placement(shown=0, lost="a1").markup


def test_each_rule_shows_its_source() -> None:
    facts = load_facts()
    markup = re.sub("</?code>", "", html.unescape(Placement().markup))
    for name, row in facts.limits.rows.items():
        if name.startswith("ecs-placement"):
            assert row.says.replace("`", "") in markup
            assert all(facts.sources.rows[source].url in markup for source in row.sources)


def test_the_text_names_every_host_and_its_tasks() -> None:
    text = repr(Placement(inputs={"distinct": True, "tasks": 7}))
    assert text.startswith("7 tasks of 0.5 vCPU and 1,024 MiB, spread over zones, distinctInstance")
    assert "c2: task 6" in text
    assert "6 of 7 tasks are placed, on 6 of 6 hosts. 1 finds no host." in text


def test_the_examples_of_the_docstrings_are_true() -> None:
    assert doctest.testmod(placement).failed == 0
