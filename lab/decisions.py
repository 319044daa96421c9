"""A learner's decisions on how to run something: kept as files, so that a check can read them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from facts.chooser import load_chooser, recommend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lab.session import Lab

__all__ = ["Decision", "decide", "decision_on"]


@dataclass(frozen=True)
class Decision:
    """What was decided on a case, and what it rests on.

    Attributes:
        case: The case's number, such as ``16.1``.
        answers: The answers to the selector's questions; what is left out has its first answer.
        option: The option that was chosen.
        because: The ids of the rules that speak for it.
        flip: The one other answer with which the decision would be another.
    """

    case: str
    answers: dict[str, str]
    option: str
    because: tuple[str, ...]
    flip: dict[str, str]

    def __repr__(self) -> str:
        says = {rule.id: rule.because for rule in load_chooser().rules}
        lines = [f"{self.case}: {self.option}"]
        lines += [
            f"  because: {says.get(rule, f'{rule}, which is no rule')}" for rule in self.because
        ]
        changes = [f"{question} is {answer!r}" for question, answer in self.flip.items()]
        lines.append(f"  until:   {' and '.join(changes) or 'nothing'}")
        return "\n".join(lines)


def decide(  # noqa: PLR0913 - a decision has so many parts
    lab: Lab,
    case: str,
    *,
    answers: Mapping[str, str],
    option: str,
    because: Sequence[str],
    flip: Mapping[str, str],
) -> Decision:
    """Write a decision down. A new one on the same case takes its place.

    Args:
        lab: The learner's lab, in whose folder it is kept until the lab closes.
        case: The case's number, such as ``16.1``.
        answers: What the case says, as answers to the selector's questions.
        option: The option that is chosen, such as ``ecs-fargate``.
        because: The ids of two rules that speak for it.
        flip: The one other answer with which the decision would be another.

    Raises:
        FactsError: An unknown question or answer; the message names the known ones.

    Example:
        >>> decide(  # doctest: +SKIP
        ...     lab, "16.1", answers={"kind": "job"}, option="ecs-fargate",
        ...     because=["jobs-on-fargate", "default-2026"], flip={"length": "long"},
        ... )
    """
    recommend(answers)
    recommend(flip)
    made = Decision(case, dict(answers), option, tuple(because), dict(flip))
    _file(lab, case).write_text(json.dumps(asdict(made)), "utf-8")
    return made


def decision_on(lab: Lab, case: str) -> Decision | None:
    """Find what a learner has decided on a case; ``None`` if nothing yet."""
    file = _file(lab, case)
    if not file.exists():
        return None
    kept = json.loads(file.read_text("utf-8"))
    return Decision(**{**kept, "because": tuple(kept["because"])})


def _file(lab: Lab, case: str) -> Path:
    return lab.folder("decisions") / f"{case}.json"
