"""The talk's "choose it when" slides as people: what 2019 said to each, what today, and why."""

from dataclasses import dataclass

from facts import load_facts
from facts.chooser import Recommendation
from facts.personas import Persona, load_personas
from facts.records import Sourced
from widgets.base import render
from widgets.service_selector import ServiceSelector

__all__ = ["PersonaTable"]


@dataclass(frozen=True)
class _Row:
    claim: str
    who: str
    then: str
    now: str
    equal: str
    because: str
    link: str
    sources: tuple[tuple[str, str, str, bool], ...]


class PersonaTable:
    """Shows each persona's answer of 2019 beside today's; both follow from the rules.

    Each row links to the service selector with the persona's answers, and to the sources.

    Example:
        >>> PersonaTable().rows[0].then
        'Beanstalk Standard'
    """

    def __init__(self) -> None:
        self.rows = tuple(map(_row, load_personas().values()))

    def __repr__(self) -> str:
        lines = [f"{row.claim}  {row.who}: {row.then} -> {row.now}" for row in self.rows]
        return "\n".join(["What the talk's advice of 2019 became, by slide", *lines])

    def _repr_html_(self) -> str:
        return render("persona_table", {"rows": self.rows})


def _row(persona: Persona) -> _Row:
    now = persona.now
    return _Row(
        claim=persona.claim,
        who=persona.who,
        then=_first(persona.then),
        now=_first(now),
        equal=", ".join(
            _name(found.option)
            for found in now.ranked[1:]
            if not found.out and found.points == now.ranked[0].points
        ),
        because=persona.because,
        link=ServiceSelector.link(persona.answers),
        sources=tuple(dict.fromkeys(map(_source, persona.facts))),
    )


def _first(found: Recommendation) -> str:
    return _name(found.best.option) if found.best else "none"


def _name(option: str) -> str:
    return load_facts().options.rows[option].name


def _source(fact: str) -> tuple[str, str, str, bool]:
    row = load_facts().find(fact)
    if not isinstance(row, Sourced):
        raise TypeError(f"{fact} has no source.")
    source = load_facts().sources.rows[row.sources[0]]
    return source.title, source.url, str(source.read), row.confidence == "second-hand"
