"""Which cell, paragraph or fact carries each claim of the talk, and what is still waited for."""

import json
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from facts.records import Facts, read_as

__all__ = ["Carriers", "Coverage", "cover", "load_carriers", "places"]

_COVERAGE = Path(__file__).parent / "coverage.yaml"
_LABEL = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)
_TABLE = re.compile(r"^`{3,}\{facts\} ([\w-]+) *(.*)$", re.MULTILINE)

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
        parts = [f"{page}: {', '.join(by)}" for page, by in self.carried.items()]
        if self.waits_for:
            parts.append(f"waits for {', '.join(self.waits_for)}")
        return f"{self.claim}  {'; '.join(parts)}"


def load_carriers(path: Path = _COVERAGE) -> Carriers:
    """Read what carries each claim.

    Raises:
        FactsError: A page has an empty list, or the file has another shape.

    Example:
        >>> "05-life-cycle" in load_carriers()["T09"]
        True
    """
    return read_as(Carriers, path)


def places(path: Path, facts: Facts) -> set[str]:
    """List what can carry a claim on a page: its cells, its labels, the facts that it shows.

    Args:
        path: A notebook or a page of Markdown.
        facts: The tables that a page may show.
    """
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        return {cell["id"] for cell in json.loads(text)["cells"]}
    found = set(_LABEL.findall(text))
    for table, rows in _TABLE.findall(text):
        # A table that is made of several has no rows of its own that could be named.
        of_it = getattr(facts, table).rows if table in type(facts).model_fields else ()
        found |= {f"{table}.{row}" for row in rows.split() or of_it}
    return found


def cover(
    carriers: Carriers, facts: Facts, pages: Mapping[str, AbstractSet[str]]
) -> list[Coverage]:
    """Say for each claim what carries it, and what is wrong.

    Args:
        carriers: What carries each claim.
        facts: The claims, with the pages that have to carry them.
        pages: What can carry a claim on each page that exists, by the page's stem.
    """
    rows = []
    for claim, row in facts.claims.rows.items():
        by_page = carriers.get(claim, {})
        faults = [
            f"{claim}: nothing on the page {page} carries it. "
            "Name a cell, a label or a fact of it in facts/coverage.yaml."
            for page in row.chapters
            if page in pages and page not in by_page
        ]
        for page, names in by_page.items():
            if page not in row.chapters:
                faults.append(f"{claim}: facts/coverage.yaml names {page}, claims.yaml does not.")
            if page not in pages:
                faults.append(f"{claim}: facts/coverage.yaml names {page}, which does not exist.")
                continue
            faults += [
                f"{claim}: {page} has no cell and no label {name!r}, and shows no such fact. "
                "Mend facts/coverage.yaml."
                for name in names
                if name not in pages[page]
            ]
        carried = {page: tuple(names) for page, names in by_page.items()}
        waits_for = tuple(page for page in row.chapters if page not in pages)
        rows.append(Coverage(claim, carried, waits_for, tuple(faults)))
    unknown = sorted(carriers.keys() - facts.claims.rows.keys())
    return [
        *rows,
        *(Coverage(name, {}, (), (f"{name} in coverage.yaml is no claim.",)) for name in unknown),
    ]
