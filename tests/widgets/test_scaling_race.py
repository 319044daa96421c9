from __future__ import annotations

import doctest
import html
import re
from dataclasses import asdict
from fractions import Fraction

import pytest

from facts import load_facts
from widgets import ScalingRace, run_race, scaling_race
from widgets.scaling_race import INPUTS, Race, Run, _view, _waiting

PLAIN = {"before": 100, "after": 300, "each": 100, "notice": 60, "machine": 120, "task": 5}
NO_RISE = "The load must rise: more requests a second after than before."


def second_by_second(race: Race, run: Run, until: int) -> list[int]:
    """Counts what waits the slow way, one second after the other."""
    starts, capacity, waits, counted = dict(run.steps), race.had * race.each, 0, []
    for second in range(until + 1):
        capacity += starts.get(second, 0) * race.each
        counted.append(waits)
        waits = max(0, waits + race.after - capacity)
    return counted


def test_the_area_is_what_is_counted_second_by_second() -> None:
    for figures in ({}, {"room": 2}, {"room": 0}, {"after": 801, "notice": 3, "machine": 9}):
        race = Race(**figures)
        for run in ScalingRace(inputs=figures).runs.values():
            counted = second_by_second(race, run, run.drained_after)
            assert counted[run.fits_after] == run.unserved == max(counted)
            assert counted[run.drained_after] == 0 < counted[run.drained_after - 1]
            assert counted == [_waiting(race, run, second) for second in range(len(counted))]


def test_a_machine_boots_and_a_task_only_starts() -> None:
    runs = run_race(**PLAIN)
    assert runs["machines"] == Run(((180, 2),), 180, 36_000, 0, None)
    assert runs["tasks"] == Run(((65, 2),), 65, 13_000, 0, None)


def test_a_task_without_room_waits_for_a_machine_first() -> None:
    assert run_race(**PLAIN, room=1)["tasks"].steps == ((65, 1), (185, 1))
    none = run_race(**PLAIN, room=0)
    assert none["tasks"].steps == ((185, 2),)
    assert none["tasks"].fits_after > none["machines"].fits_after
    assert "here tasks are not faster." in _view(Race(**PLAIN, room=0))["headline"]
    assert "no room for a new task" in " ".join(_view(Race(**PLAIN, room=0))["says"])
    assert "have room for 1 of 2 new tasks" in " ".join(_view(Race(**PLAIN, room=1))["says"])


def test_what_the_capacity_of_before_serves_needs_no_race() -> None:
    runs = run_race(before=850, after=900)
    assert set(runs.values()) == {Run((), 0, 0, 0, 0)}
    view = _view(Race(before=850, after=900))
    assert view["headline"] == (
        "Nothing has to grow: the capacity of before serves 900 requests a second."
    )
    assert (view["says"], len(view["moments"])) == ([], 1)


def test_the_sentences_are_reckoned_from_the_runs() -> None:
    race = Race()
    runs, view = run_race(), _view(race)
    tasks, machines = runs["tasks"], runs["machines"]
    ratio = Fraction(machines.fits_after, tasks.fits_after)
    assert view["headline"].endswith(f"{float(ratio):.1f} times as long.")
    assert f"{tasks.unserved:,} requests find no capacity" in view["says"][0]
    assert f"after {tasks.drained_after:,} s with tasks" in view["says"][1]
    assert f"{100 * race.notice / tasks.fits_after:.0f}\N{NO-BREAK SPACE}%" in view["says"][2]
    assert "what waits by then goes on waiting" in _view(Race(after=900))["says"][1]
    assert "Until scaling acts" not in " ".join(_view(Race(notice=0))["says"])
    moments = _view(Race(before=100, after=150, notice=0, task=180))["moments"]
    assert [row[1] for row in moments[:2]] == [
        "The load rises to 150 requests a second. Scaling acts: 1 more is asked for.",
        "1 machine begins to serve. 1 task begins to serve.",
    ]


def test_the_time_until_scaling_acts_comes_from_a_fact() -> None:
    fact = load_facts().limits.rows["ecs-fast-scaling"]
    assert Race().notice == fact.value
    assert run_race() == run_race(notice=round(fact.value))
    markup = html.unescape(ScalingRace().markup)
    assert f"(AWS's figure of {fact.since}: {fact.value:g} s)" in markup
    for name in ("machine", "task"):
        assert INPUTS[name].rests == "your assumption"
    assert markup.count("<em>(your assumption)</em>") == 2


def test_the_first_paint_is_a_table_of_what_waits_when() -> None:
    markup = ScalingRace().markup
    for second, *cells in _view(Race())["moments"]:
        row = "".join(f"<td>{cell}</td>" for cell in cells)
        assert f'<th scope="row">{second}</th>{row}' in markup


def test_what_is_left_out_of_the_inputs_is_as_at_first() -> None:
    assert ScalingRace(inputs={"task": 3}).inputs == asdict(Race(task=3))


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"tasks": 3}, "no input 'tasks'. Known: before, after, each, room, notice"),
        ({"task": 0}, "Seconds until a new task serves: a whole number from 1 to 3,600."),
        ({"machine": 1.5}, "Seconds until a new machine serves: a whole number"),
        ({"room": True}, "Tasks that running hosts still have room for: a whole number from 0"),
        ({"before": 850}, NO_RISE),
    ],
)
def test_bad_input_is_refused(inputs: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        ScalingRace(inputs=inputs)


def test_the_text_names_the_figures_and_the_outcome() -> None:
    text = repr(ScalingRace(inputs={"notice": 60}))
    assert text.startswith("The load rises from 400 to 850 requests a second.")
    assert "180 s until a machine serves, 10 s until a task does." in text
    assert "Tasks fit the load after 70 s, virtual machines after 240 s" in text


def test_the_examples_of_the_docstrings_are_true() -> None:
    assert doctest.testmod(scaling_race).failed == 0
