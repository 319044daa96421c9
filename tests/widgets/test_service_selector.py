from __future__ import annotations

import random
import re

import pytest

from facts import FactsError, load_facts
from facts.chooser import load_chooser, recommend
from facts.personas import load_personas
from widgets import ServiceSelector

CHOOSER = load_chooser()
NOTHING = {"where": "own", "kubernetes": "yes", "system": "windows"}


def draw(seed: int) -> dict[str, str]:
    chance = random.Random(seed)  # noqa: S311
    return {name: chance.choice(list(q.answers)) for name, q in CHOOSER.questions.items()}


def html_of(widget: ServiceSelector) -> str:
    return str(widget._repr_mimebundle_()[0]["text/html"])


def test_what_is_left_out_has_its_first_answer() -> None:
    widget = ServiceSelector(answers={"kind": "job"})
    assert widget.answers == recommend({"kind": "job"}).answers
    widget.answers = {"zero": "yes"}
    assert widget.answers == recommend({"zero": "yes"}).answers


def test_the_recommendation_follows_the_answers() -> None:
    widget = ServiceSelector()
    assert widget.recommendation == recommend()
    widget.answers = {**widget.answers, "kubernetes": "yes"}
    assert widget.recommendation == recommend({"kubernetes": "yes"})


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"colour": "blue"}, "There is no question 'colour'. Use some of: kind,"),
        ({"kind": "game"}, "'kind' can't be answered by 'game'. Use one of: web,"),
    ],
)
def test_an_unknown_answer_is_refused(answers: dict[str, str], said: str) -> None:
    with pytest.raises(FactsError, match=re.escape(said)):
        ServiceSelector(answers=answers)
    widget = ServiceSelector()
    with pytest.raises(FactsError, match=re.escape(said)):
        widget.answers = answers
    assert widget.answers == recommend().answers


def test_every_question_stands_in_the_form_in_its_own_words() -> None:
    markup = ServiceSelector(answers={"zero": "yes"}).markup
    for name, question in CHOOSER.questions.items():
        assert f'<span>{question.asks}</span><select data-question="{name}">' in markup
        for answer, words in question.answers.items():
            assert re.search(f'<option value="{answer}"( selected)?>{re.escape(words)}<', markup)
    assert markup.count(" selected>") == len(CHOOSER.questions)
    assert '<select data-question="zero"><option value="no">no</option>' in markup
    assert markup.count("<fieldset") == markup.count(" disabled>") == 2


def test_an_option_shows_its_points_reasons_and_facts() -> None:
    markup = ServiceSelector().markup
    assert "ECS Express Mode: first with 7 points, for 3 reasons." in markup
    for rule in CHOOSER.rules:
        if rule.id in recommend().best.pro:  # type: ignore[union-attr]
            assert f"<b>+{rule.points}</b><span>{rule.because}".replace("'", "&#39;") in markup
    assert "Your answers: team “containers are new to us”" in markup
    source = load_facts().sources.rows["aws-agent-toolkit"]
    assert f'<a href="{source.url}">{source.title}</a>, read {source.read}' in markup


def test_a_fact_read_second_hand_says_so() -> None:
    assert "second-hand" not in ServiceSelector().markup
    markup = ServiceSelector(answers={"zero": "yes"}).markup
    says = (
        "Something of it is paid for all the time: tasks, instances, a load balancer or a cluster."
    )
    assert f"{says} <mark>second-hand</mark>" in markup
    assert re.search(r"idle Application Load Balancer[^<]*<mark>second-hand</mark>", markup)


def test_the_honest_answer_may_be_no_containers() -> None:
    assert "No containers: first with 9 points" in ServiceSelector(answers={"kind": "ready"}).markup


def test_where_nothing_is_possible_it_says_so_and_why() -> None:
    widget = ServiceSelector(answers=NOTHING)
    assert widget.recommendation.best is None
    assert "None of the 14 options is possible with these answers." in widget.markup
    assert "<details open><summary>Out: 14</summary>" in widget.markup
    assert "One other answer is enough:" in widget.markup
    assert "In 2019: none was possible" in repr(widget)


def test_answers_that_contradict_each_other_are_said_plainly() -> None:
    markup = ServiceSelector(answers={"where": "own"}).markup
    assert "These answers can't be true together" in markup
    assert "AWS can&#39;t patch machines that are yours" in markup


def test_equal_points_are_not_hidden() -> None:
    for seed in range(200):
        answers = draw(seed)
        best, second, *_ = recommend(answers).ranked
        if best.points == second.points and not second.out:
            assert "No rule decides between equals" in ServiceSelector(answers=answers).markup
            return
    pytest.fail("no draw has two equal options")


def test_the_talk_s_answer_comes_with_its_slides_and_what_became_of_them() -> None:
    markup = ServiceSelector().markup
    after = markup.partition("In 2019 the talk would have said")[2]
    assert "<b>Beanstalk Standard</b><span>4 points</span>" in after
    assert "T20, choose EB when:" in after
    assert "ECS Express Mode can be used since 2025-11-20 only." in after
    assert "T20 holds in part:" in after


@pytest.mark.parametrize("name", load_personas())
def test_each_persona_s_answer_can_be_stored(name: str) -> None:
    widget = ServiceSelector(answers=load_personas()[name].answers)
    assert len(html_of(widget).encode()) <= 40_000


def test_the_text_is_the_ranking() -> None:
    lines = repr(ServiceSelector()).splitlines()
    assert lines[1] == " 1. ECS Express Mode: 7 points"
    assert lines[-1] == "In 2019: Beanstalk Standard"
    assert len(lines) <= 20
