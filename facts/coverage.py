"""Which cell, paragraph or fact carries each claim of the talk, and what is still waited for."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from facts.records import Facts, FactsError

__all__ = ["Carriers", "Coverage", "cover", "load_carriers"]

_COVERAGE = Path(__file__).parent / "coverage.yaml"

Carriers = dict[str, dict[str, Annotated[list[str], Field(min_length=1)]]]
"""For each claim and each page, by its stem, what carries it there."""


@dataclass(frozen=True)
class Coverage:
    """What carries one claim.

    Attributes:
        claim: Its id.
        carried: For each page that exists, the cells, labels or facts that carry it.
        waits_for: The chapters that do not exist yet.
        faults: What is missing, or named and not there; each says what to do.
    """

    claim: str
    carried: Mapping[str, tuple[str, ...]]
    waits_for: tuple[str, ...]
    faults: tuple[str, ...]

    def __str__(self) -> str:
        carried = "; ".join(f"{page}: {', '.join(by)}" for page, by in self.carried.items())
        waits = f"waits for {', '.join(self.waits_for)}" if self.waits_for else ""
        return f"{self.claim}  " + " · ".join(part for part in (carried, waits) if part)


def load_carriers(path: Path = _COVERAGE) -> Carriers:
    """Read what carries each claim.

    Raises:
        FactsError: A claim or a page has an empty list, or the file has another shape.
    """
    try:
        return TypeAdapter(Carriers).validate_python(yaml.safe_load(path.read_text("utf-8")))
    except ValidationError as error:
        raise FactsError(f"{path} is not complete: {error}") from error


def cover(carriers: Carriers, facts: Facts, pages: Mapping[str, Set[str]]) -> list[Coverage]:
    """Say for each claim what carries it, and what is wrong.

    Args:
        carriers: For each claim and page, the ids of cells, labels, or facts as ``table.id``.
        facts: The claims with the chapters that have to carry them.
        pages: The pages that exist, by their stems, with the ids of their cells and their labels.
    """
    rows = []
    for claim, row in facts.claims.rows.items():
        by_page = carriers.get(claim, {})
        faults = [
            f"{claim}: nothing on {page} carries it. Name a cell or a label in facts/coverage.yaml."
            for page in row.chapters
            if page in pages and page not in by_page
        ]
        faults += [
            f"{claim}: facts/coverage.yaml names {page}, which claims.yaml does not. "
            "Add it there, or take it out here."
            for page in by_page
            if page not in row.chapters
        ]
        for page, names in by_page.items():
            if page not in pages:
                faults.append(f"{claim}: the page {page} does not exist (facts/coverage.yaml).")
                continue
            faults += [
                f"{claim}: {page} has no cell and no label {name!r}, and no fact has that name. "
                "Mend facts/coverage.yaml."
                for name in names
                if name not in pages[page] and facts.find(name) is None
            ]
        rows.append(
            Coverage(
                claim,
                {page: tuple(names) for page, names in by_page.items()},
                tuple(page for page in row.chapters if page not in pages),
                tuple(faults),
            )
        )
    unknown = sorted(carriers.keys() - facts.claims.rows.keys())
    rows += [
        Coverage(name, {}, (), (f"{name} is no claim of the talk (facts/coverage.yaml).",))
        for name in unknown
    ]
    return rows
