from __future__ import annotations

import re

import pytest

from widgets import LifeCycle
from widgets.life_cycle import ACTIONS, OUTCOMES, PROGRAMS, STATES, THINGS

EDGE = re.compile(r'data-from="([^"]+)" data-to="([^"]+)" data-does="([^"]+)"')


def names(actions: list[str], program: str = "handles") -> list[str]:
    return [str(step) for step in LifeCycle.walk(actions, program=program)]


def test_every_state_answers_every_action() -> None:
    assert set(OUTCOMES) == set(STATES)
    for row in OUTCOMES.values():
        assert set(row) == set(ACTIONS)


def test_every_state_says_something_about_everything() -> None:
    for state in STATES.values():
        assert len(state.keeps) == len(THINGS)
        assert {mark for mark, _ in state.keeps} <= {"yes", "still", "no"}


def test_only_an_exited_container_shows_an_exit_code() -> None:
    for row in OUTCOMES.values():
        for outcome in row.values():
            assert (outcome.exit_code is not None) == (outcome.to == "exited")


def test_the_drawing_has_exactly_one_arrow_for_each_way() -> None:
    edges = [[part.split("|") for part in edge] for edge in EDGE.findall(LifeCycle().markup)]
    drawn = [(start, does, to[0]) for starts, to, do in edges for start in starts for does in do]
    ways = {
        (status, action, outcome.to)
        for status, row in OUTCOMES.items()
        for action, outcome in row.items()
        if outcome.to is not None
    }
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == ways


@pytest.mark.parametrize(
    ("program", "code"), [("handles", 0), ("ignores", 137), ("init", 143)], ids=str
)
def test_the_program_decides_what_stop_leaves(program: str, code: int) -> None:
    for way in (["create", "start", "stop"], ["create", "start", "pause", "stop"]):
        assert names(way, program)[-1] == f"exited ({code})"
    assert names(["create", "start", "kill"], program)[-1] == "exited (137)"


def test_a_refusal_changes_nothing_and_says_why() -> None:
    *_, refused = LifeCycle.walk(["create", "start", "remove"])
    assert (refused.status, refused.changed) == ("running", False)
    assert refused.answer.startswith("409 Conflict")


def test_an_exit_code_lasts_until_the_next_start() -> None:
    way = ["create", "start", "exit 1", "stop", "start", "pause"]
    assert names(way) == ["created", "running", "exited (1)", "exited (1)", "running", "paused"]


def test_a_name_can_be_used_again_after_remove() -> None:
    assert names(["create", "create", "remove", "create"]) == [
        "created",
        "created",
        "removed",
        "created",
    ]


@pytest.mark.parametrize(
    ("actions", "program", "hint"),
    [
        (["create", "pauze"], "handles", "no action 'pauze'. Did you mean 'pause'?"),
        (["fly"], "handles", "no action 'fly'. Known: create, start"),
        ([], "handle", "no program 'handle'. Did you mean 'handles'?"),
    ],
)
def test_an_unknown_name_gets_a_hint(actions: list[str], program: str, hint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(hint)):
        LifeCycle.walk(actions, program=program)


def test_a_history_that_cannot_happen_is_refused() -> None:
    with pytest.raises(ValueError, match="at 'pause' the engine answers '409 Conflict"):
        LifeCycle(history=["create", "pause"])


def test_the_first_paint_shows_where_the_history_led() -> None:
    markup = LifeCycle(history=["create", "start", "stop"], program="ignores").markup
    assert '<strong data-slot="where">exited (137)</strong>' in markup
    assert "<b>stop</b> <span>→ exited (137)</span>" in markup
    assert 'value="ignores" checked' in markup
    assert "SIGTERM, then SIGKILL" in markup


def test_the_text_names_every_state_and_action() -> None:
    text = repr(LifeCycle())
    for word in [*STATES, *ACTIONS]:
        assert word in text
    for program in PROGRAMS.values():
        assert str(program.exit_code) in text
