from __future__ import annotations

import random
from pathlib import Path

import pytest

import facts
from facts import FactsError
from facts.chooser import Chooser, Rule, Year, load_chooser, recommend

CHOOSER = load_chooser()
YEARS: tuple[Year, ...] = (2019, 2026)
DRAWN = 300


def draw(seed: int, fixed: dict[str, tuple[str, ...]] | None = None) -> dict[str, str]:
    chance = random.Random(seed)  # noqa: S311
    return {
        name: chance.choice((fixed or {}).get(name) or tuple(question.answers))
        for name, question in CHOOSER.questions.items()
    }


def without(rule: Rule) -> Chooser:
    return CHOOSER.model_copy(update={"rules": tuple(r for r in CHOOSER.rules if r != rule)})


@pytest.mark.parametrize("rule", CHOOSER.rules, ids=lambda rule: rule.id)
def test_no_rule_is_dead(rule: Rule) -> None:
    rest = without(rule)
    for seed in range(DRAWN):
        answers = draw(seed, rule.when)
        for year in rule.years:
            before = [found.option for found in CHOOSER.rank(answers, year)]
            if before != [found.option for found in rest.rank(answers, year)]:
                return
    pytest.fail(f"{rule.id} changed the order in none of {DRAWN} draws for which it holds")


def test_what_decides_is_said() -> None:
    decided = 0
    for seed in range(60):
        answers = draw(seed)
        ranked = CHOOSER.rank(answers, 2026)
        best = ranked[0]
        for rule in CHOOSER.rules:
            other = without(rule).rank(answers, 2026)[0].option
            if other == best.option:
                continue
            decided += 1
            passed_over = next(found for found in ranked if found.option == other)
            assert rule.id in (*best.pro, *passed_over.con, *passed_over.out)
    assert decided


def test_each_option_is_somebody_s_answer() -> None:
    found = {recommend(draw(seed)).ranked[0].option for seed in range(4000)}
    assert found >= {
        *("ecs-express", "ecs-fargate", "ecs-managed-instances", "ecs-ec2", "ecs-anywhere"),
        *(
            "eb-standard",
            "eb-cluster",
            "eks-auto",
            "eks-managed-nodes",
            "eks-hybrid",
            "eks-fargate",
        ),
        *("lambda-image", "not-containers"),
    }


def test_a_flip_leads_where_it_says() -> None:
    for seed in range(40):
        answers = draw(seed)
        best = CHOOSER.rank(answers, 2026)[0].option
        for flip in CHOOSER.flips(answers, 2026):
            assert CHOOSER.rank({**answers, **flip.answers}, 2026)[0].option == flip.option
            assert flip.option != best


@pytest.mark.parametrize(
    ("answers", "then", "now"),
    [
        ({"skills": "new", "services": "one"}, "eb-standard", "ecs-express"),
        (
            {"skills": "docker", "services": "many", "weight": "balance"},
            "ecs-fargate",
            "ecs-fargate",
        ),
        (
            {"skills": "docker", "services": "many", "weight": "cost", "patches": "us"},
            "ecs-ec2",
            "ecs-ec2",
        ),
        ({"kind": "job", "length": "long", "load": "peaks"}, "ecs-fargate", "ecs-fargate"),
        ({"kubernetes": "yes", "skills": "kubernetes"}, "eks-self-managed", "eks-auto"),
    ],
)
def test_the_talk_s_advice_is_what_2019_says(answers: dict[str, str], then: str, now: str) -> None:
    assert recommend(answers, as_of="2019").ranked[0].option == then
    assert recommend(answers).ranked[0].option == now


@pytest.mark.parametrize("contradiction", CHOOSER.contradictions, ids=lambda c: c.says[:20])
def test_answers_that_contradict_each_other_are_named(contradiction: object) -> None:
    when = contradiction.when  # type: ignore[attr-defined]
    said = recommend({question: wanted[0] for question, wanted in when.items()})
    assert contradiction.says in said.contradictions  # type: ignore[attr-defined]


def test_where_nothing_is_possible_there_is_no_best() -> None:
    assert recommend({"where": "own"}, as_of="2019").best is None


def test_what_is_sold_ready_made_needs_no_container() -> None:
    fixed = {"kind": ("ready",), "where": ("aws",), "kubernetes": ("no", "nice")}
    for seed in range(400):
        assert recommend(draw(seed, fixed)).ranked[0].option == "not-containers"


def test_what_was_not_read_is_no_promise_and_no_ban() -> None:
    ranked = {found.option: found for found in recommend({"system": "windows"}).ranked}
    assert "windows-unread" in ranked["ecs-managed-instances"].con
    assert ranked["ecs-managed-instances"].out == ()
    assert ranked["ecs-fargate"].con == ()


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"colour": "blue"}, "no question 'colour'. Use some of: kind,"),
        ({"kind": "game"}, "'kind' can't be answered by 'game'. Use one of: web,"),
    ],
)
def test_an_unknown_answer_is_refused(answers: dict[str, str], said: str) -> None:
    with pytest.raises(FactsError) as caught:
        recommend(answers)
    assert said in str(caught.value)


def test_an_unknown_year_is_refused() -> None:
    with pytest.raises(FactsError, match="no chooser for '2020'"):
        recommend(as_of="2020")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("facts: [claims.T38]", "facts: [claims.T99]", "ready-made: unknown fact 'claims.T99'"),
        ("facts: [claims.T38]", "facts: []", "rules.0.facts"),
        ("when: {kind: [ready]}", "when: {kid: [ready]}", "ready-made: unknown question 'kid'"),
        ("group: work", "group: play", "kind: unknown group 'play'"),
        ("when: {kind: [ready]}", "when: {kind: [raw]}", "ready-made: kind has no answer 'raw'"),
        ("options: [not-containers], points", "options: [x], points", "unknown option 'x'"),
        ("points: 9,", "", "ready-made: give it either points or 'out: true'"),
        ("eks-self-managed, not-containers]", "not-containers]", "order: must name every option"),
    ],
)
def test_a_rule_that_can_t_hold_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (Path(facts.__file__).parent / "chooser.yaml").read_text("utf-8")
    assert old in text
    broken = tmp_path / "chooser.yaml"
    broken.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(FactsError) as caught:
        load_chooser(broken)
    assert said in str(caught.value)
