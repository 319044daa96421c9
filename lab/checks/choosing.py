"""The exercises of chapter 16, choosing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from facts import FactsError
from facts.chooser import TABLE, Chooser, load_chooser, recommend
from lab.checks import evidence
from lab.checks.exercise import Exercise, NotYet
from lab.decisions import decision_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from facts.chooser import Recommendation, Rule
    from lab.decisions import Decision
    from lab.session import Lab

__all__ = ["CASES", "CHAPTER", "ENGINE", "EXERCISES", "FAULTS", "inject", "rules_file"]

CHAPTER = "16-choosing"
ENGINE = False
REASONS = 2

# What the text of each case says; what it leaves open has its first answer.
CASES: dict[str, dict[str, str]] = {
    "16.1": {"load": "peaks"},
    "16.2": {
        "kind": "job",
        "length": "long",
        "load": "pauses",
        "zero": "yes",
        "skills": "docker",
        "isolation": "yes",
    },
    "16.3": {
        "kubernetes": "yes",
        "skills": "kubernetes",
        "services": "many",
        "patches": "us",
        "aim": "leave",
        "weight": "balance",
    },
    "16.4": {
        "where": "own",
        "patches": "us",
        "kubernetes": "nice",
        "skills": "kubernetes",
        "aim": "automate",
    },
}

# What the lab changes in the desk's copy of the rules.
# The seed picks one, so the order must not change within a course.
FAULTS: dict[str, tuple[str, str]] = {
    "sign": (
        "options: [eb-cluster], points: -6, because",
        "options: [eb-cluster], points: 6, because",
    ),
    "fact": ("facts: [limits.express-http-only]", "facts: [limits.express-web-only]"),
    "year": ("id: windows-2019, years: [2019]", "id: windows-2019, years: [2019, 2026]"),
    "answer": ("when: {kind: [worker, job]}", "when: {kind: [worker, jobs]}"),
    "contradiction": ("{where: [own], patches: [aws]}", "{where: [own], patches: [us]}"),
}


def rules_file(lab: Lab) -> Path:
    """Name the desk's copy of the rules."""
    return lab.folder("desk") / TABLE.name


def inject(lab: Lab, fault: str) -> None:
    """Give the desk a copy of the rules with a fault.

    Args:
        lab: The learner's lab.
        fault: A key of ``FAULTS``.
    """
    sound, broken = FAULTS[fault]
    rules_file(lab).write_text(TABLE.read_text("utf-8").replace(sound, broken, 1), "utf-8")


def _check_case(number: str, lab: Lab) -> None:
    made = decision_on(lab, number)
    if made is None:
        raise NotYet(f"There is no decision on {number} yet.")
    found = recommend(made.answers)
    if found.contradictions:
        raise NotYet(f"Your answers can't be true together. {found.contradictions[0]}")
    _compare_answers(made.answers, CASES[number])
    _judge_option(made, found)
    _judge_reasons(made, found)
    _judge_flip(made)


def _compare_answers(given: Mapping[str, str], case: Mapping[str, str]) -> None:
    mine, wanted = recommend(given).answers, recommend(case).answers
    for name, question in load_chooser().questions.items():
        if mine[name] == wanted[name]:
            continue
        if name not in case:
            raise NotYet(
                f"You answer “{question.asks}” by “{question.answers[mine[name]]}”. "
                "The case gives no reason for that: where it says nothing, leave the question out."
            )
        raise NotYet(f"Read the case again and ask: “{question.asks}”")


def _judge_option(made: Decision, found: Recommendation) -> None:
    places = {ranked.option: ranked for ranked in found.ranked}
    mine = places.get(made.option)
    if mine is None:
        raise NotYet(f"{made.option!r} is no option. Use one of: {', '.join(places)}.")
    if mine.out:
        raise NotYet(f"{made.option} is out with these answers. {_because(mine.out[0])}")
    best = found.ranked[0]
    if mine.points < best.points:
        raise NotYet(
            f"{made.option} has {mine.points} points with these answers, and another option has "
            f"{best.points}. Which stands first, and what do you hold against it?"
        )


def _judge_reasons(made: Decision, found: Recommendation) -> None:
    mine = next(ranked for ranked in found.ranked if ranked.option == made.option)
    for rule in made.because:
        if rule in mine.con:
            raise NotYet(f"{rule!r} speaks against {made.option}: {_because(rule)}")
        if rule not in mine.pro:
            raise NotYet(
                f"{rule!r} gives {made.option} no points with these answers. "
                "The rules that do are listed with the option."
            )
    if len(set(made.because)) < REASONS:
        raise NotYet("A decision is defended by two different reasons here.")


def _judge_flip(made: Decision) -> None:
    if len(made.flip) != 1:
        raise NotYet(f"One other answer should turn the decision; you changed {len(made.flip)}.")
    ((question, answer),) = made.flip.items()
    if recommend(made.answers).answers[question] == answer:
        raise NotYet(f"{question!r} is {answer!r} already: what other answer would turn it?")
    changed = recommend({**made.answers, **made.flip})
    if changed.contradictions:
        raise NotYet(
            f"With that other answer the case contradicts itself. {changed.contradictions[0]}"
        )
    if changed.best is None:
        raise NotYet(f"With {question!r} as {answer!r} nothing is possible at all. Try another.")
    if changed.best.option == made.option:
        raise NotYet(f"With {question!r} as {answer!r} the first place is still {made.option}.")


def _because(rule: str) -> str:
    return next(row.because for row in load_chooser().rules if row.id == rule)


def _prepare_desk(lab: Lab) -> None:
    inject(lab, evidence.choose_fault(lab, FAULTS))


def _check_desk(lab: Lab) -> None:
    file = rules_file(lab)
    if not file.exists():
        raise NotYet("The desk has no rules: prepare the exercise first.")
    try:
        desk = load_chooser(file)
    except FactsError as error:
        first, *more = str(error).split("\n")
        said = more[0] if more else first
        raise NotYet(
            f"The table can't be loaded. {said}. What is it called where it is defined?"
        ) from None
    _compare_rules(desk, load_chooser())


def _compare_rules(desk: Chooser, course: Chooser) -> None:
    sound = {rule.id: rule for rule in course.rules}
    mine = {rule.id: rule for rule in desk.rules}
    if gone := sound.keys() - mine.keys():
        raise NotYet(f"A repair keeps every rule, and one is gone: {min(gone)}.")
    for name, rule in mine.items():
        if name not in sound:
            raise NotYet(f"The rule {name!r} is new: the desk needs a repair, not a rule more.")
        if rule != sound[name]:
            raise NotYet(_what_is_wrong(rule, sound[name], desk))
    for contradiction in desk.contradictions:
        if contradiction not in course.contradictions:
            raise NotYet(
                f"Ask for somebody who answers {_in_words(contradiction.when, desk)}: the desk "
                "says that this can't be true together, and it can. Read the reason that it gives."
            )
    if desk != course:
        raise NotYet(
            "Its questions, its order or its contradictions are not the course's any more."
        )


def _what_is_wrong(rule: Rule, sound: Rule, desk: Chooser) -> str:
    who = f"Ask for somebody who answers {_in_words(rule.when, desk)}"
    if rule.years != sound.years:
        return f"{who}: one of the reasons that the desk gives is of another year."
    if rule.points * sound.points < 0:
        return f"{who}: a reason that the desk gives is true, and counts in the wrong direction."
    return f"The rule {rule.id!r} loads, and no longer says what its facts say. Compare the two."


def _in_words(when: Mapping[str, Iterable[str]], chooser: Chooser) -> str:
    return " and ".join(
        f"{chooser.questions[name].short} “{chooser.questions[name].answers[next(iter(wanted))]}”"
        for name, wanted in when.items()
    )


def _case(number: str) -> Callable[[Lab], None]:
    return partial(_check_case, number)


EXERCISES = {
    "16.1": Exercise(
        title="The booking page",
        minutes=6,
        nudge="Most of what the case says is what the selector assumes at first. "
        "Which one of its answers is not? The rules that speak for an option are in its pro.",
        check=_case("16.1"),
    ),
    "16.2": Exercise(
        title="Reports at night",
        minutes=6,
        nudge="Six answers of this case are not the usual ones. For the flip, ask which of them "
        "keeps out an option that would cost nothing at rest, too.",
        check=_case("16.2"),
    ),
    "16.3": Exercise(
        title="Forty services move",
        minutes=6,
        nudge="Begin with what is a must, not a wish: it takes options out, whatever their points.",
        check=_case("16.3"),
    ),
    "16.4": Exercise(
        title="Two wishes, one hall",
        minutes=7,
        nudge="Write all wishes down as they are said, and look at the contradictions. "
        "The last sentence of the case says which wish gives way.",
        check=_case("16.4"),
    ),
    "16.5": Exercise(
        title="Repair the advice",
        minutes=10,
        nudge="First load the table: what names an unknown thing is refused at once. What loads "
        "can still be wrong: read each reason as the customer would, beside its points, its year "
        "and its facts.",
        check=_check_desk,
        prepare=_prepare_desk,
    ),
}
