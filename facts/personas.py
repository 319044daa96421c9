"""The talk's advice as people: what each would answer, what 2019 says to it, and what today."""

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from facts.chooser import Recommendation, recommend
from facts.records import FactsError, Record, load_facts, read_as

__all__ = ["Persona", "load_personas"]

_PERSONAS = Path(__file__).parent / "personas.yaml"
_Words = Annotated[str, Field(min_length=1)]


class Persona(Record):
    """Somebody to whom a slide of the talk gave advice.

    Attributes:
        claim: The slide, such as ``T20``.
        who: What this person has or wants, as the end of a sentence.
        answers: The answers to the service selector; what is left out has its first answer.
        talk: The options of 2019 that the slide's advice means.
        because: Why today's answer differs, or why it does not.
        facts: What this rests on, as ``table.id``.
    """

    claim: _Words
    who: _Words
    answers: dict[str, str]
    talk: Annotated[tuple[str, ...], Field(min_length=1)]
    because: _Words
    facts: Annotated[tuple[str, ...], Field(min_length=1)]

    @property
    def then(self) -> Recommendation:
        """What the talk's rules give."""
        return recommend(self.answers, as_of="2019")

    @property
    def now(self) -> Recommendation:
        """What today's rules give."""
        return recommend(self.answers)

    def faults(self) -> list[str]:
        """List what names an unknown claim, option, fact or answer."""
        facts = load_facts()
        found = [] if self.claim in facts.claims.rows else [f"unknown claim {self.claim!r}"]
        found += [f"unknown fact {name!r}" for name in self.facts if not facts.find(name)]
        for name in self.talk:
            if name not in facts.options.rows or not facts.options.rows[name].in_2019:
                found.append(f"{name!r} is no option of 2019")
        try:
            self.now  # noqa: B018  # an unknown answer is refused
        except FactsError as error:
            found.append(str(error))
        return found


class _Personas(Record):
    rows: dict[str, Persona]


@cache
def load_personas(path: Path = _PERSONAS) -> dict[str, Persona]:
    """Read the personas, and prove that all that they name is there.

    Raises:
        FactsError: A persona is not complete, or names what is not there. The message names each.

    Example:
        >>> load_personas()["beginner"].now.best.option
        'ecs-express'
    """
    rows = read_as(_Personas, path).rows
    faults = [f"{name}: {fault}" for name, row in rows.items() for fault in row.faults()]
    if faults:
        raise FactsError("\n".join([f"{path.name} names what is not there:", *faults]))
    return rows
