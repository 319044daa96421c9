"""Answers that come in pages, each with the token that leads to the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["page_of"]

T = TypeVar("T")


def page_of(found: Sequence[T], token: str | None, size: int) -> tuple[list[T], str | None]:
    """Cut a page out of a list, and give the token that leads to the next one.

    Args:
        found: All there is, always in the same order.
        token: The one that came with the page before; nothing for the first page.
        size: How many a page has at most.

    Raises:
        ValueError: The token is none that came with a page.

    Example:
        >>> page_of("abc", None, 2), page_of("abc", "2", 2)
        ((['a', 'b'], '2'), (['c'], None))
    """
    start = int(token or 0)
    if not 0 <= start <= len(found):
        raise ValueError(token)
    rest = str(start + size) if start + size < len(found) else None
    return list(found[start : start + size]), rest
