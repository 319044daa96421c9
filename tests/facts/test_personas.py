from __future__ import annotations

from pathlib import Path

import pytest

import facts
from facts import FactsError, load_facts
from facts.personas import load_personas

PERSONAS = load_personas()
SERVICE = {"T20": "EB", "T28": "ECS", "T29": "ECS", "T30": "ECS", "T34": "EKS"}


def test_each_choose_it_when_slide_has_somebody() -> None:
    assert {persona.claim for persona in PERSONAS.values()} == set(SERVICE)


@pytest.mark.parametrize("name", PERSONAS)
def test_2019_answers_what_the_slide_named(name: str) -> None:
    persona = PERSONAS[name]
    best = persona.then.best
    assert best is not None
    assert best.option in persona.talk
    assert load_facts().options.rows[best.option].service == SERVICE[persona.claim]
    assert {load_facts().options.rows[option].service for option in persona.talk} == {
        SERVICE[persona.claim]
    }


@pytest.mark.parametrize("name", PERSONAS)
def test_no_persona_contradicts_itself(name: str) -> None:
    assert PERSONAS[name].now.contradictions == ()
    assert PERSONAS[name].now.best is not None


def test_the_talk_holds_for_some_and_not_for_others() -> None:
    same = [row.now.ranked[0].option == row.then.ranked[0].option for row in PERSONAS.values()]
    assert 4 <= sum(same) <= len(same) - 4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("claim: T20", "claim: T99", "saves-work: unknown claim 'T99'"),
        ("talk: [eb-standard]", "talk: [ecs-express]", "'ecs-express' is no option of 2019"),
        ("talk: [eb-standard]", "talk: []", "rows.saves-work.talk"),
        ("options.ecs-express", "options.ecs-expres", "unknown fact 'options.ecs-expres'"),
        ("kind: web", "kind: game", "'kind' can't be answered by 'game'"),
        ("rows:", "rows: [", "personas.yaml can't be used"),
    ],
)
def test_a_persona_that_names_nothing_is_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = (Path(facts.__file__).parent / "personas.yaml").read_text("utf-8")
    assert old in text
    broken = tmp_path / "personas.yaml"
    broken.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(FactsError) as caught:
        load_personas(broken)
    assert said in str(caught.value)
