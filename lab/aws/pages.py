"""Answers that come in pages, each with the token that leads to the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["page_of"]

T = TypeVar("T")


def page_of(
    found: Sequence[T], token: str | None, size: int, key: Callable[[T], str] | None = None
) -> tuple[list[T], str | None]:
    """Cut a page out of a list, and give the token that leads to the next one.

    With a key, the token says after which one it goes on, and not after how many. So nothing is
    left out where others are deleted meanwhile, as where several clients share an account.

    Args:
        found: All there is; without a key always in the same order.
        token: The one that came with the page before; nothing for the first page.
        size: How many a page has at most.
        key: What it is to be sorted by, another one for each.

    Raises:
        ValueError: The token is none that came with a page.

    Example:
        >>> page_of("abc", None, 2), page_of("abc", "2", 2)
        ((['a', 'b'], '2'), (['c'], None))
        >>> some, token = page_of("cab", None, 2, key=str)
        >>> some, page_of("cb", token, 2, key=str)
        (['a', 'b'], (['c'], None))
    """
    if key is not None:
        after = bytes.fromhex(token or "").decode()
        left = sorted((one for one in found if key(one) > after), key=key)
        some = left[:size]
        return some, key(some[-1]).encode().hex() if len(left) > size else None
    start = int(token or 0)
    if not 0 <= start <= len(found):
        raise ValueError(token)
    rest = str(start + size) if start + size < len(found) else None
    return list(found[start : start + size]), rest
