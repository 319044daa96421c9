"""Puts the outcomes of checks into a table by service, for people and as JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Verdict = Literal["held", "answer", "failed"]

COLUMNS: Final = ("held", "checks", "share", "strictly", "by the API", "running")
_LONGEST_REASON = 200


@dataclass(frozen=True)
class Outcome:
    """What came of one check.

    Attributes:
        check: The name of the check.
        service: The service whose behaviour it checks.
        runs: What must run for it; ``api`` if nothing.
        verdict: ``held``; ``answer`` if the behaviour was as documented, too, but an answer on
            the way did not fit the model; else ``failed``.
        reason: Why it did not hold.
    """

    check: str
    service: str
    runs: str
    verdict: Verdict
    reason: str = ""


def rows(outcomes: Iterable[Outcome]) -> dict[str, dict[str, int | float | str]]:
    """Count by service, and overall in the last row.

    One wrong member in an answer that every check gets would hide all else, so ``held`` and
    ``share`` go by the behaviour, and ``strictly`` is the share of the checks of which every
    answer fits the model, too.
    """
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.service].append(outcome)
    groups = dict(sorted(groups.items()))
    groups["all"] = [outcome for group in groups.values() for outcome in group]
    return {service: _row(group) for service, group in groups.items()}


def _row(group: list[Outcome]) -> dict[str, int | float | str]:
    held = [outcome for outcome in group if outcome.verdict != "failed"]
    api = [outcome for outcome in group if outcome.runs == "api"]
    held_api = [outcome for outcome in held if outcome.runs == "api"]
    return {
        "held": len(held),
        "checks": len(group),
        "share": _share(len(held), len(group)),
        "strictly": _share(sum(outcome.verdict == "held" for outcome in group), len(group)),
        "by the API": f"{len(held_api)} of {len(api)}",
        "running": f"{len(held) - len(held_api)} of {len(group) - len(api)}",
    }


def _share(part: int, whole: int) -> float:
    return round(100 * part / max(whole, 1), 1)


def lines(outcomes: Iterable[Outcome]) -> list[str]:
    """Write the table as text."""
    head = f"{'':<8}" + "".join(f"{column:>12}" for column in COLUMNS)
    return [head] + [
        f"{service:<8}" + "".join(f"{_cell(row[column]):>12}" for column in COLUMNS)
        for service, row in rows(outcomes).items()
    ]


def _cell(value: float | str) -> str:
    return f"{value} %" if isinstance(value, float) else str(value)


def write(path: Path, about: dict[str, str], outcomes: Iterable[Outcome]) -> None:
    """Store the table with each outcome, in an order that does not depend on the run's."""
    ordered = sorted(outcomes, key=lambda outcome: (outcome.service, outcome.check))
    table = {
        "about": about,
        "services": rows(ordered),
        "checks": [
            {**asdict(outcome), "reason": outcome.reason[:_LONGEST_REASON]} for outcome in ordered
        ],
    }
    path.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
