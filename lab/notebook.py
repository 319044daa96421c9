"""How errors of the SDKs appear under a cell: the error itself, and what to do next."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import docker.errors
import requests
from IPython.core.getipython import get_ipython

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["next_step_for", "shorten_errors"]

_NO_POOL = (
    "Docker has room for some thirty networks, and they are used up. `docker network ls` in a "
    "terminal shows them; `lab clean` removes those that you made in this course."
)
# What the engine says, and what can be done about it.
_STEPS = {
    "No such container": (
        "It was removed, or there was never one of this name: yours have the name that "
        "lab.name gives. If it is one of yours, run the cell that starts it again."
    ),
    "is not running": (
        "It was never started, or it has ended. Run the cell that starts it, and go on from there."
    ),
    "is not paused": "Nothing holds it: it was not paused, or it goes on already.",
    "no space left on device": (
        "The engine's disk is full: `lab doctor` in a terminal says how much is free."
    ),
    "volume is in use": "A container still mounts it, running or not: remove that one first.",
    "dependent child images": "Another image was built on this one: remove that one first.",
    "image is being used": "A container was made of this image: remove that one first.",
    "has active endpoints": "Containers are still on it: remove or disconnect them first.",
    "could not find an available, non-overlapping IPv4 address pool": _NO_POOL,
    # The same, in newer versions of Docker.
    "all predefined address pools have been fully subnetted": _NO_POOL,
}


def shorten_errors() -> None:
    """Show errors of the engine and of AWS in a notebook by their own words, and a next step.

    The exception stays docker-py's or boto3's own, for ``except`` and for reading; only the
    thirty frames of its inside are left out. Outside IPython this does nothing.
    """
    shell = get_ipython()
    if shell is None:
        return
    shell.set_custom_exc(  # type: ignore[no-untyped-call]  # IPython has no types here
        (
            docker.errors.DockerException,
            requests.exceptions.ConnectionError,
            botocore.exceptions.BotoCoreError,
            botocore.exceptions.ClientError,
            KeyboardInterrupt,
        ),
        _show,
    )


def next_step_for(error: BaseException) -> str | None:
    """Say what a learner can do about an error of the engine, if there is something to say.

    Example:
        >>> next_step_for(docker.errors.APIError("volume is in use"))
        'A container still mounts it, running or not: remove that one first.'
    """
    if isinstance(error, KeyboardInterrupt):
        return "You have stopped this cell. Run it again when you like."
    text = str(error)
    for words, next_step in _STEPS.items():
        if words in text:
            return next_step
    if isinstance(error, docker.errors.APIError) and error.status_code == HTTPStatus.CONFLICT:
        return (
            "What you asked for does not fit the state that it is in now. "
            "lab.show(container, 'name', 'status') says which that is."
        )
    if isinstance(error, docker.errors.ImageNotFound):
        return "Type `lab images prepare` in a terminal, then run the cell again."
    if isinstance(error, requests.exceptions.ConnectionError):
        return (
            "Nobody answers at this address. If the container stopped, start it again; "
            "if the engine stopped, `lab doctor` in a terminal says what to do."
        )
    return None


def _show(
    shell: Any,  # noqa: ANN401  # IPython gives its shell, untyped
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType | None,
    tb_offset: int | None = None,
) -> list[str]:
    del traceback, tb_offset
    lines = [f"{kind.__name__}: {error}".removesuffix(": ")]
    next_step = next_step_for(error)
    if next_step:
        lines.append(f"Next: {next_step}")
    # IPython 9 offers no public way to show a traceback of one's own making.
    shell._showtraceback(kind, error, lines)  # noqa: SLF001
    return lines
