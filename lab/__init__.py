"""What the cells of the course talk to: a lab with a container engine, cleaned up after use.

Example:
    >>> from lab import open_lab
    >>> lab = open_lab("05-life-cycle")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.session import Lab, open_lab

__all__ = ["Lab", "LabError", "open_lab"]


def __getattr__(name: str) -> object:
    """Import the lab when it is first named: the local AWS and the command start without it."""
    if name not in ("Lab", "open_lab"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lab import session  # noqa: PLC0415

    return getattr(session, name)
