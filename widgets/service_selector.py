"""The service selector: it argues which way to run containers on AWS fits a reader's answers.

The questions, the rules and the facts stand in `facts/`. Python ranks by `facts.chooser`; the ES
module holds the same small function once more, and a test proves that both give the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import traitlets

from facts import DUTIES, Claim, Fact, Option, Price, load_facts
from facts.chooser import Flip, Ranked, Recommendation, Rule, load_chooser, recommend
from facts.records import Sourced
from widgets.base import CourseWidget

__all__ = ["ServiceSelector"]

_IN_FULL = 3
_WAYS = {1: 3, 2: 1}  # ways shown to another option, by how many answers each changes
_HOLDS = {"partly": "holds in part", "no": "no longer holds", "gone": "is gone"}


class ServiceSelector(CourseWidget):
    """Asks what a reader has and wants, and answers with options, reasons and their facts.

    Args:
        answers: The answer to each question; what is left out has its first answer. See
            `facts.chooser.load_chooser().questions` for the names.

    Raises:
        TypeError: An unknown keyword was given.
        ValueError: An unknown question or answer; the message names the known ones.

    Example:
        >>> ServiceSelector(answers={"kubernetes": "yes"}).recommendation.best.option
        'eks-auto'
    """

    answers = traitlets.Dict(traitlets.Unicode()).tag(sync=True, page=True, option=True)
    table = traitlets.Dict(read_only=True).tag(sync=True, page=True)

    @staticmethod
    def late_table() -> dict[str, object]:
        """Makes the table that the site puts on the page: the questions, rules and facts."""
        return _table()

    @property
    def recommendation(self) -> Recommendation:
        """What is recommended for the answers as they are now."""
        return recommend(self.answers)

    @staticmethod
    def link(answers: Mapping[str, str]) -> str:
        """Gives the end of an address that opens the selector on a page with these answers.

        Raises:
            ValueError: An unknown question or answer; the message names the known ones.

        Example:
            >>> ServiceSelector.link({"kind": "job", "zero": "no"})
            '#selector=kind:job'
        """
        first = recommend().answers
        given = recommend(answers).answers
        return "#selector=" + ",".join(
            f"{name}:{answer}" for name, answer in given.items() if answer != first[name]
        )

    @traitlets.default("answers")
    def _first_answers(self) -> dict[str, str]:
        return recommend().answers

    @traitlets.default("table")
    def _table(self) -> dict[str, object]:
        return _table()

    @traitlets.validate("answers")
    def _complete(self, proposal: Mapping[str, dict[str, str]]) -> dict[str, str]:
        return recommend(proposal["value"]).answers

    def _context(self) -> dict[str, object]:
        chooser = load_chooser()
        first = recommend().answers
        changed = {name for name, answer in self.answers.items() if answer != first[name]}
        return {
            "answers": self.answers,
            "groups": {
                title: {
                    "questions": (
                        questions := {
                            name: question
                            for name, question in chooser.questions.items()
                            if question.group == group
                        }
                    ),
                    "changed": len(changed & set(questions)),
                }
                for group, title in chooser.groups.items()
            },
            "changed": len(changed),
            "view": _View(self.answers).as_dict(),
        }

    def _text(self) -> str:
        now, then = recommend(self.answers), recommend(self.answers, as_of="2019")
        asked = f"{len(now.answers)} answers"
        lines = [f"Which way to run containers on AWS: what {asked} lead to"]
        possible = [found for found in now.ranked if not found.out]
        for place, found in enumerate(possible, start=1):
            lines.append(f"{place:>2}. {_name(found.option)}: {_points(found.points)}")
        out = [_name(found.option) for found in now.ranked if found.out]
        lines.append(f"Out: {', '.join(out)}")
        lines.append(f"In 2019: {_name(then.best.option) if then.best else 'none was possible'}")
        return "\n".join(lines)


@dataclass
class _View:
    """What is shown for some answers; the ES module's `view` gives the same."""

    answers: Mapping[str, str]

    def __post_init__(self) -> None:
        self._now = recommend(self.answers)
        self._then = recommend(self.answers, as_of="2019")
        self._cited: list[str] = []

    def as_dict(self) -> dict[str, Any]:
        now = self._now
        possible = [found for found in now.ranked if not found.out]
        first = [self._option(found) for found in possible[:_IN_FULL]]
        out = [
            {"name": _name(found.option), "reasons": self._reasons(found.out)}
            for found in now.ranked
            if found.out
        ]
        return {
            "headline": _headline(now.best, len(now.ranked)),
            "bar": _bar(now.best),
            "contradictions": now.contradictions,
            "equal": [
                _name(found.option) for found in possible[1:] if found.points == possible[0].points
            ],
            "first": first,
            "more": [self._option(found, full=False) for found in possible[_IN_FULL:]],
            "out": out,
            "flips": self._flips(),
            "then": self._talk(),
            "facts": [_fact(name) for name in self._cited],
        }

    def _option(self, found: Ranked, *, full: bool = True) -> dict[str, Any]:
        return {
            "name": _name(found.option),
            "points": _points(found.points),
            "is_for": load_facts().options.rows[found.option].is_for,
            "reasons": self._reasons((*found.pro, *found.con), cite=full, say=full),
        }

    def _reasons(
        self, ids: Iterable[str], *, cite: bool = False, say: bool = True
    ) -> list[dict[str, Any]]:
        return [self._reason(_rules()[name], cite=cite, say=say) for name in ids]

    def _reason(self, rule: Rule, *, cite: bool, say: bool) -> dict[str, Any]:
        if cite:
            self._cited += [name for name in rule.facts if name not in self._cited]
        return {
            "points": _signed(rule.points) if rule.points else "",
            "because": rule.because,
            "said": [self._said(name) for name in rule.when] if say else [],
            "facts": [self._cited.index(name) + 1 for name in rule.facts] if cite else [],
            "second_hand": any(_fact(name)["second_hand"] for name in rule.facts),
        }

    def _said(self, name: str, answer: str | None = None) -> str:
        question = load_chooser().questions[name]
        return f"{question.short} “{question.answers[answer or self.answers[name]]}”"

    def _flips(self) -> dict[str, Any]:
        flips = load_chooser().flips(self.answers, 2026)
        changes = len(flips[0].answers) if flips else 0
        shown = _WAYS.get(changes, 0)
        ways: dict[str, list[Flip]] = {}
        for flip in flips:
            ways.setdefault(flip.option, []).append(flip)
        return {
            "says": _says_of_flips(changes),
            "options": [
                {
                    "name": _name(option),
                    "ways": [self._way(flip.answers) for flip in found[:shown]],
                    "more": max(0, len(found) - shown),
                }
                for option, found in ways.items()
            ],
        }

    def _way(self, answers: Mapping[str, str]) -> dict[str, str]:
        return {
            "sets": ",".join(f"{name}:{answer}" for name, answer in answers.items()),
            "label": " and ".join(self._said(name, answer) for name, answer in answers.items()),
        }

    def _talk(self) -> dict[str, Any]:
        best = self._then.best
        held = (
            (*best.pro, *best.con)
            if best
            else tuple(dict.fromkeys(name for found in self._then.ranked for name in found.out))
        )
        claims = list(
            dict.fromkeys(
                fact.removeprefix("claims.")
                for name in held
                for fact in _rules()[name].facts
                if fact.startswith("claims.")
            )
        )
        rows = load_facts().claims.rows
        return {
            "name": _name(best.option) if best else "none of its options",
            "points": _points(best.points) if best else "",
            "reasons": self._reasons(held),
            "slides": [f"{key}, {rows[key].slide}: {rows[key].said}" for key in claims],
            "same": bool(best and self._now.best and best.option == self._now.best.option),
            "differs": [*self._places(), *map(_since_the_talk, filter(_aged, claims))],
        }

    def _places(self) -> list[dict[str, Any]]:
        now, then = self._now.best, self._then.best
        rows = load_facts().options.rows
        said: list[dict[str, Any]] = []
        if now and then and now.option == then.option:
            return said
        if now and not rows[now.option].in_2019:
            since = rows[now.option].since
            said.append(
                _told(f"{_name(now.option)} can be used since {since} only.", rows[now.option])
            )
        elif now:
            said.append(_told(f"{_name(now.option)} in 2019: {self._stood(now, self._then)}"))
        if then:
            said.append(_told(f"{_name(then.option)} today: {self._stood(then, self._now)}"))
        return said

    def _stood(self, option: Ranked, year: Recommendation) -> str:
        found = next(other for other in year.ranked if other.option == option.option)
        against = " ".join(_rules()[name].because for name in found.out or found.con)
        place = "out." if found.out else f"{_points(found.points)}."
        return f"{place} {against}".strip()


def _headline(best: Ranked | None, options: int) -> str:
    if not best:
        return f"None of the {options} options is possible with these answers."
    reasons = len(best.pro)
    told = "no rule speaks for it" if not reasons else f"for {_many(reasons, 'reason')}"
    against = f" {_many(len(best.con), 'reason')} against it." if best.con else ""
    return f"{_name(best.option)}: first with {_points(best.points)}, {told}.{against}"


def _bar(best: Ranked | None) -> str:
    return f"{_name(best.option)}, {_points(best.points)}" if best else "nothing is possible"


def _says_of_flips(changes: int) -> str:
    return {
        0: "No one and no two other answers would change the first place.",
        1: "One other answer is enough:",
        2: "No single answer would, but two together:",
    }[changes]


def _name(option: str) -> str:
    return load_facts().options.rows[option].name


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _minus(number: int) -> str:
    return str(number).replace("-", "\N{MINUS SIGN}")


def _points(number: int) -> str:
    return f"{_minus(number)} {'point' if abs(number) == 1 else 'points'}"


def _signed(number: int) -> str:
    return f"+{number}" if number > 0 else _minus(number)


@cache
def _rules() -> dict[str, Rule]:
    return {rule.id: rule for rule in load_chooser().rules}


def _aged(claim: str) -> bool:
    return load_facts().claims.rows[claim].holds != "yes"


def _since_the_talk(claim: str) -> dict[str, Any]:
    row = load_facts().claims.rows[claim]
    return _told(f"{claim} {_HOLDS[row.holds]}: {row.today}", row)


def _told(says: str, row: Sourced | None = None) -> dict[str, Any]:
    """A sentence with its source, where it has one."""
    if row is None:
        return {"says": says, "since": "", "second_hand": False, "title": "", "url": "", "read": ""}
    source = load_facts().sources.rows[row.sources[0]]
    return {
        "says": says,
        "since": str(getattr(row, "since", None) or ""),
        "second_hand": row.confidence == "second-hand",
        "title": source.title,
        "url": source.url,
        "read": str(source.read),
    }


@cache
def _fact(name: str) -> dict[str, Any]:
    row = load_facts().find(name)
    if isinstance(row, Claim):
        slide = f"{name.removeprefix('claims.')}, {row.slide}"
        says = f"{slide}: {row.said} Today: {row.today}"
    elif isinstance(row, Option):
        duties = f"AWS takes {len(row.aws_does)} of {len(DUTIES)} counted duties."
        says = f"{row.name}: {row.is_for} {duties} Paid for: {row.billed}."
    elif isinstance(row, Price):
        amount = f"{row.amount:.2f}" if round(row.amount, 2) == row.amount else f"{row.amount:g}"
        says = f"{row.what}: ${amount} a {row.unit} in {row.region}."
    elif isinstance(row, Fact):
        says = row.says
    else:
        raise TypeError(f"{name} is no fact that a rule can rest on.")
    return _told(says, row)


def _table() -> dict[str, object]:
    """What the ES module needs, as rows instead of names: a stored page has to stay small.

    `decode` in the ES module gives the names back, in the order in which they stand here.
    """
    chooser, facts = load_chooser(), load_facts()
    options = list(chooser.order)
    named = list(dict.fromkeys(fact for rule in chooser.rules for fact in rule.facts))
    rows = [*(facts.options.rows[name] for name in options), *map(_sourced, named)]
    sources = list(dict.fromkeys(row.sources[0] for row in rows))
    return {
        "questions": {
            name: [question.short, *question.answers]
            for name, question in chooser.questions.items()
        },
        "contradictions": [[_packed(found.when), found.says] for found in chooser.contradictions],
        "rules": [
            [
                rule.years[0] if len(rule.years) == 1 else 0,
                _packed(rule.when),
                rule.points,  # 0: these options are out
                [options.index(name) for name in rule.options],
                rule.because,
                [named.index(name) for name in rule.facts],
            ]
            for rule in chooser.rules
        ],
        "options": [_option_row(name, sources) for name in options],
        "duties": len(DUTIES),
        "facts": [_fact_row(name, options, sources) for name in named],
        "sources": [
            [row.title, row.url, str(row.read)]
            for row in (facts.sources.rows[name] for name in sources)
        ],
    }


def _sourced(name: str) -> Sourced:
    row = load_facts().find(name)
    if not isinstance(row, Sourced):
        raise TypeError(f"{name} is no fact that a rule can rest on.")
    return row


def _packed(when: Mapping[str, Iterable[str]]) -> str:
    return ",".join(f"{name}:{'|'.join(wanted)}" for name, wanted in when.items())


def _option_row(name: str, sources: list[str]) -> list[object]:
    row = load_facts().options.rows[name]
    return [
        name,
        row.name,
        row.is_for,
        row.billed,
        len(row.aws_does),
        str(row.since or ""),
        int(row.in_2019),
        sources.index(row.sources[0]),
        int(row.confidence == "second-hand"),
    ]


def _fact_row(name: str, options: list[str], sources: list[str]) -> object:
    row = _sourced(name)
    if isinstance(row, Option):
        return options.index(name.removeprefix("options."))
    ends = [
        str(getattr(row, "since", None) or ""),
        sources.index(row.sources[0]),
        int(row.confidence == "second-hand"),
    ]
    if isinstance(row, Claim):
        slide = f"{name.removeprefix('claims.')}, {row.slide}"
        return [*ends, slide, row.said, row.today, "" if row.holds == "yes" else _HOLDS[row.holds]]
    return [*ends, _fact(name)["says"]]
