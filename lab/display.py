"""How values appear under a cell: tables in a stable order, and marks on what varies."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import docker.errors

from lab.errors import LabError
from lab.naming import UNTAGGED, labels_of, short_name, short_tag

__all__ = ["Table", "Varies", "look_up", "table_of"]

GONE = "(gone)"


@dataclass(frozen=True)
class Varies:
    """A measured value that differs from run to run, and is marked so.

    Example:
        >>> Varies(4242)
        4242 (varies)
        >>> Varies(0.41234, "s")
        0.41 s (varies)
    """

    value: float
    unit: str = ""

    def __repr__(self) -> str:
        number = f"{self.value:.2f}" if isinstance(self.value, float) else f"{self.value}"
        return " ".join(part for part in (number, self.unit, "(varies)") if part)


@dataclass(frozen=True)
class Table:
    """Rows under named columns, as text and as HTML.

    Example:
        >>> Table(("name", "status"), (("web", "running"), ("worker", "exited")))
        name    status
        ------  -------
        web     running
        worker  exited
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def __repr__(self) -> str:
        cells = [self.columns, *(tuple(map(_as_text, row)) for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        rule = tuple("-" * width for width in widths)
        lines = [cells[0], rule, *cells[1:]]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in self.columns)
        body = "\n".join(
            "<tr>" + "".join(f"<td>{html.escape(_as_text(cell))}</td>" for cell in row) + "</tr>"
            for row in self.rows
        )
        return (
            f'<table class="lab-table">\n<thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{body}\n</tbody>\n</table>"
        )


def table_of(things: object, columns: Sequence[str]) -> Table:
    """Ask the engine for each thing's present state and lay it out as a table.

    Args:
        things: One docker-py object (a container, network, volume, image, service) or several,
            or what docker-py gives as plain dictionaries, such as a service's tasks.
        columns: What to show of each: an attribute of the docker-py object such as
            ``name`` or ``status``, or a path into its ``attrs`` such as
            ``State.ExitCode``. ``name`` is shown short; of an image it is
            its tags.

    Returns:
        One row a thing, sorted by the columns from the left. What the engine no longer knows has
        ``(gone)`` in the columns that it can't tell; what only some of the things have, such as
        the error of a task, is empty for the others.

    Raises:
        LabError: No column was given, or nothing has a column of that name.
    """
    if not columns:
        raise LabError(
            "There is no column to show.",
            next_step="Name some, as in lab.show(web, 'name', 'status').",
        )
    if isinstance(things, Mapping) or not isinstance(things, Iterable):
        things = [things]
    rows = [_row(thing, columns) for thing in things]
    for column in zip(*rows, strict=True):
        missing = [cell for cell in column if isinstance(cell, LabError)]
        if missing and len(missing) == len(column):
            raise missing[0]
    filled = ([None if isinstance(cell, LabError) else cell for cell in row] for row in rows)
    rows = sorted(map(tuple, filled), key=lambda row: [*map(str, row)])
    return Table(tuple(_heading(column, columns) for column in columns), tuple(rows))


def look_up(thing: Any, path: str) -> object:  # noqa: ANN401
    """Read one column of a docker-py object or dictionary, as ``table_of`` does.

    Raises:
        LabError: The object has no such attribute and no such path in its ``attrs``.
    """
    if isinstance(thing, Mapping):
        return _follow(thing, path)
    if path == "name":
        labels = labels_of(thing)
        if hasattr(thing, "tags"):  # an image, which may have several names, or none
            return ", ".join(sorted({short_tag(tag, labels) for tag in thing.tags})) or UNTAGGED
        return short_name(str(thing.name), labels)
    if "." not in path and not path[0].isupper() and hasattr(thing, path):
        return getattr(thing, path)
    return _follow(thing.attrs, path)


def _follow(attrs: Mapping[str, Any], path: str) -> object:
    value: Any = attrs
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            known = sorted(value) if isinstance(value, Mapping) else []
            raise LabError(
                f"There is no {key!r} in {path!r}.",
                next_step=f"Choose one of: {', '.join(known)}." if known else "Use a shorter path.",
            )
        value = value[key]
    return value


def _heading(column: str, columns: Sequence[str]) -> str:
    last = column.rpartition(".")[2]
    namesakes = [other for other in columns if other.rpartition(".")[2].lower() == last.lower()]
    # "status" and "State.Health.Status" side by side would read the same.
    return ".".join(column.split(".")[-2:]) if len(namesakes) > 1 else last


def _row(thing: Any, columns: Sequence[str]) -> tuple[object, ...]:  # noqa: ANN401
    try:
        if not isinstance(thing, Mapping):
            thing.reload()
    except docker.errors.NotFound:
        return tuple(look_up(thing, c) if c == "name" else GONE for c in columns)
    return tuple(_cell(thing, column) for column in columns)


def _cell(thing: Any, column: str) -> object:  # noqa: ANN401
    """Look a column up; what is not there is told by the error, for others may have it."""
    try:
        return look_up(thing, column)
    except LabError as missing:
        return missing


def _as_text(cell: object) -> str:
    if isinstance(cell, list | tuple):
        return ", ".join(map(str, cell))
    return "" if cell is None else str(cell)
