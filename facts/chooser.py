"""Which way to run containers: an answer by rules that can be read, one line each.

The ES module of the service selector holds the same small function; a test proves that both give
the same for every combination of answers.
"""

import itertools
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from facts.records import FactsError, Record, load_facts, read_as, refuse_faults

__all__ = [
    "TABLE",
    "Chooser",
    "Contradiction",
    "Flip",
    "Question",
    "Ranked",
    "Recommendation",
    "Rule",
    "load_chooser",
    "recommend",
]

TABLE = Path(__file__).parent / "chooser.yaml"
"""Where the course's own questions and rules stand."""

Year = Literal[2019, 2026]
_When = dict[str, tuple[str, ...]]
_Words = Annotated[str, Field(min_length=1)]


class Question(Record):
    """One question in the reader's words; the first answer is the one that is set at first.

    Attributes:
        group: Where the form shows it.
        short: What it is called where a reason names the answer.
        asks: The question.
        answers: The answers by their name.
    """

    group: _Words
    short: _Words
    asks: _Words
    answers: Annotated[dict[str, _Words], Field(min_length=2)]


class Contradiction(Record):
    """Answers that can't be true together, and why."""

    when: _When
    says: _Words


class Rule(Record):
    """One line of the chooser.

    Attributes:
        id: Its name.
        years: In which years it holds.
        when: The answers for which it holds: all of these questions, any of each one's answers.
        options: What it speaks of.
        points: What these gain or lose; 0 if they are out.
        out: Whether these options are not possible then.
        because: The reason, as it is shown.
        facts: What it rests on, as ``table.id``.
    """

    id: _Words
    years: tuple[Year, ...]
    when: Annotated[_When, Field(min_length=1)]
    options: Annotated[tuple[str, ...], Field(min_length=1)]
    points: int = 0
    out: bool = False
    because: _Words
    facts: Annotated[tuple[str, ...], Field(min_length=1)]


class Ranked(Record):
    """One option with what speaks for and against it.

    Attributes:
        option: Its id in ``options.yaml``.
        points: The sum over the rules that hold.
        pro: The ids of the rules that give it points.
        con: The ids of the rules that take points from it.
        out: The ids of the rules by which it is not possible; empty if it is.
    """

    option: str
    points: int
    pro: tuple[str, ...]
    con: tuple[str, ...]
    out: tuple[str, ...]


class Flip(Record):
    """Other answers, as few as possible, that lead to another first option."""

    answers: dict[str, str]
    option: str


class Recommendation(Record):
    """The answer of the chooser.

    Attributes:
        answers: The answer to each question.
        year: The year whose options and rules were used.
        ranked: The possible options, the best first; then those that are out.
        contradictions: Why some of the answers can't be true together.
    """

    answers: dict[str, str]
    year: Year
    ranked: tuple[Ranked, ...]
    contradictions: tuple[str, ...]

    @property
    def best(self) -> Ranked | None:
        """The first option; ``None`` if no option is possible."""
        return self.ranked[0] if not self.ranked[0].out else None


class Chooser(Record):
    """The questions and the rules."""

    order: tuple[str, ...]
    groups: dict[str, _Words]
    questions: dict[str, Question]
    contradictions: tuple[Contradiction, ...]
    rules: tuple[Rule, ...]

    def combinations(self) -> Iterator[dict[str, str]]:
        """Give every combination of answers, the last question changing first."""
        names = list(self.questions)
        for chosen in itertools.product(*(q.answers for q in self.questions.values())):
            yield dict(zip(names, chosen, strict=True))

    def rank(self, answers: Mapping[str, str], year: Year) -> tuple[Ranked, ...]:
        """Rank the options of a year. This is the whole of the chooser's judgement."""
        options = load_facts().options.rows
        mine: dict[str, list[Rule]] = {
            option: []
            for option in self.order
            if year != 2019 or options[option].in_2019  # noqa: PLR2004  # the talk's year
        }
        for rule in self.rules:
            if year in rule.years and _holds(rule.when, answers):
                for option in rule.options:
                    if option in mine:
                        mine[option].append(rule)
        ranked = [
            Ranked(
                option=option,
                points=sum(rule.points for rule in rules),
                pro=tuple(rule.id for rule in rules if rule.points > 0),
                con=tuple(rule.id for rule in rules if rule.points < 0),
                out=tuple(rule.id for rule in rules if rule.out),
            )
            for option, rules in mine.items()
        ]
        # Sorting is stable: of equals the one that comes first in `order` stays first.
        return tuple(sorted(ranked, key=lambda found: (bool(found.out), -found.points)))

    def contradicts(self, answers: Mapping[str, str]) -> tuple[str, ...]:
        """Say why some of the answers can't be true together."""
        return tuple(found.says for found in self.contradictions if _holds(found.when, answers))

    def flips(self, answers: Mapping[str, str], year: Year) -> tuple[Flip, ...]:
        """Search for other answers that lead to another first option.

        Returns:
            One answer changed, wherever that is enough; else two, if two are enough.
        """
        first = _first(self.rank(answers, year))
        for changes in (1, 2):
            found = tuple(self._flips(answers, year, first, changes))
            if found:
                return found
        return ()

    def _flips(
        self, answers: Mapping[str, str], year: Year, first: str, changes: int
    ) -> Iterator[Flip]:
        for names in itertools.combinations(self.questions, changes):
            others = [
                [answer for answer in self.questions[name].answers if answer != answers[name]]
                for name in names
            ]
            for chosen in itertools.product(*others):
                other = dict(zip(names, chosen, strict=True))
                option = _first(self.rank({**answers, **other}, year))
                if option not in (first, ""):
                    yield Flip(answers=other, option=option)

    def faults(self) -> Iterator[str]:
        """List what names an unknown group, question, answer, option or fact."""
        if sorted(self.order) != sorted(load_facts().options.rows):
            yield "order: must name every option of options.yaml once"
        for name, question in self.questions.items():
            if question.group not in self.groups:
                yield f"{name}: unknown group {question.group!r}"
        for contradiction in self.contradictions:
            yield from self._unknown(
                f"contradiction {contradiction.says[:30]!r}", contradiction.when
            )
        for rule in self.rules:
            yield from self._faults_of(rule)

    def _faults_of(self, rule: Rule) -> Iterator[str]:
        facts = load_facts()
        yield from self._unknown(rule.id, rule.when)
        if rule.out == bool(rule.points):
            yield f"{rule.id}: give it either points or 'out: true'"
        for option in rule.options:
            if option not in facts.options.rows:
                yield f"{rule.id}: unknown option {option!r}"
        for fact in rule.facts:
            if not facts.find(fact):
                yield f"{rule.id}: unknown fact {fact!r}"

    def _unknown(self, name: str, when: _When) -> Iterator[str]:
        for question, wanted in when.items():
            if question not in self.questions:
                yield f"{name}: unknown question {question!r}"
                continue
            known = self.questions[question].answers
            yield from (
                f"{name}: {question} has no answer {answer!r}"
                for answer in wanted
                if answer not in known
            )


def recommend(
    answers: Mapping[str, str] | None = None,
    *,
    as_of: Literal["2019", "2026"] = "2026",
    chooser: Chooser | None = None,
) -> Recommendation:
    """Recommend a way to run containers on AWS, with all that speaks for and against it.

    Args:
        answers: The answer to each question of ``load_chooser().questions``; what is left out
            has its first answer.
        as_of: ``"2019"`` answers with the talk's options and reasons.
        chooser: Questions and rules of your own; the course's where it is left out.

    Raises:
        FactsError: An unknown question or answer; the message names the known ones.

    Example:
        >>> recommend({"kubernetes": "yes"}).best.option
        'eks-auto'
        >>> recommend({"skills": "new"}, as_of="2019").best.option
        'eb-standard'
    """
    chooser = chooser or load_chooser()
    given = dict(answers or {})
    for question, answer in given.items():
        if question not in chooser.questions:
            raise FactsError(
                f"There is no question {question!r}. Use some of: {', '.join(chooser.questions)}."
            )
        known = chooser.questions[question].answers
        if answer not in known:
            raise FactsError(
                f"{question!r} can't be answered by {answer!r}. Use one of: {', '.join(known)}."
            )
    if as_of not in ("2019", "2026"):
        raise FactsError(f"There is no chooser for {as_of!r}. Use '2019' or '2026'.")
    year: Year = 2019 if as_of == "2019" else 2026
    full = {name: given.get(name, next(iter(q.answers))) for name, q in chooser.questions.items()}
    return Recommendation(
        answers=full,
        year=year,
        ranked=chooser.rank(full, year),
        contradictions=chooser.contradicts(full),
    )


def load_chooser(path: Path = TABLE) -> Chooser:
    """Read the questions and rules, and prove that all that they name is there.

    Args:
        path: A table of your own, which is read anew each time.

    Raises:
        FactsError: A rule is not complete, or names what is not there. The message names each.
    """
    return _course_chooser() if path == TABLE else _read_chooser(path)


@cache
def _course_chooser() -> Chooser:
    return _read_chooser(TABLE)


def _read_chooser(path: Path) -> Chooser:
    chooser = read_as(Chooser, path)
    refuse_faults(path, chooser.faults(), "has rules that can't hold")
    return chooser


def _holds(when: _When, answers: Mapping[str, str]) -> bool:
    return all(answers[question] in wanted for question, wanted in when.items())


def _first(ranked: tuple[Ranked, ...]) -> str:
    return ranked[0].option if not ranked[0].out else ""
