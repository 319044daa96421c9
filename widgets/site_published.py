"""Keeps every address that the site has published: a page that moves leaves a redirect.

`published.yaml` has one line for each page that there ever was.
"""

import posixpath
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, TypeAdapter

__all__ = ["complaints", "load_published", "redirects", "relative"]

_TABLE = Path(__file__).with_name("published.yaml")
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9/-]*[a-z0-9]$")]


def load_published(path: Path = _TABLE) -> dict[str, str | None]:
    """Read the table: each page's name, and where it went if it is no page any more.

    Raises:
        pydantic.ValidationError: A name is not a page's: it has an ending, a `#` or a capital.

    Example:
        >>> load_published()["index"]
        'chapters/intro'
    """
    table = yaml.safe_load(path.read_text("utf-8")) or {}
    return TypeAdapter(dict[_Name, _Name | None]).validate_python(table)


def complaints(published: Mapping[str, str | None], built: Collection[str]) -> Iterator[str]:
    """Say what would lose a reader who follows an old link, each with what to do about it.

    Args:
        published: The table.
        built: Names of the pages that the site has now.

    Example:
        >>> list(complaints({"old": None}, {"old"}))
        []
        >>> next(complaints({"old": None}, set()))
        'old was published and is gone. Say where it went in widgets/published.yaml: `old: …`'
    """
    table = "widgets/published.yaml"
    for name in sorted(set(built) - set(published)):
        yield f"{name} is a new page. Add it to {table}, so that it can't be lost: `{name}:`"
    for name, target in published.items():
        if target is None and name not in built:
            yield f"{name} was published and is gone. Say where it went in {table}: `{name}: …`"
        elif target is not None and name in built:
            yield f"{name} is a page, and {table} sends its readers to {target}. Drop one of both."
        elif target is not None and target not in built:
            yield f"{table} sends readers of {name} to {target}, which is no page of the site."


def redirects(published: Mapping[str, str | None]) -> dict[str, str]:
    """Pick the pages that have moved, and where to.

    Example:
        >>> redirects({"old": "new", "new": None})
        {'old': 'new'}
    """
    return {name: target for name, target in published.items() if target is not None}


def relative(name: str, target: str) -> str:
    """Say how the page of one name links to another, wherever the site is served.

    Example:
        >>> relative("chapters/old", "chapters/new")
        'new.html'
        >>> relative("chapters/old", "exercises/new")
        '../exercises/new.html'
    """
    return posixpath.relpath(f"{target}.html", posixpath.dirname(name) or ".")
