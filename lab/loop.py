"""Runs a function of yours again and again beside your cells, until it is stopped."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from lab.display import Varies
from lab.errors import LabClosedError, LabError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Loop"]

SHORTEST_SECONDS, LONGEST_SECONDS = 0.1, 60.0
JOIN_SECONDS = 60
SILENT_SECONDS = 3


class Loop:
    """A function that is called again and again, from the making of this object until ``stop``.

    A call that fails does not end it: what it said stays in ``error`` until a call succeeds.

    Args:
        function: What to call.
        args: With what.
        every: Seconds between the end of one call and the next.

    Raises:
        LabError: It is no function, or the pause is out of its bounds.

    Attributes:
        passes: How often it was called.
        last: What the last call returned.
        error: What the last call raised, in words; empty if it succeeded.

    Example:
        >>> loop = Loop(print, (), every=1)  # doctest: +SKIP
        >>> loop.stop()  # doctest: +SKIP
        print: stopped after 3 (varies) passes
    """

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], *, every: float
    ) -> None:
        if not callable(function):
            raise LabError(
                f"{function!r} is no function, so it can't be called again and again.",
                next_step="give the function itself, without brackets: "
                "lab.loop(reconcile, desired).",
            )
        if not SHORTEST_SECONDS <= every <= LONGEST_SECONDS:
            raise LabError(
                f"every is {every}, and can be {SHORTEST_SECONDS} to {LONGEST_SECONDS:g} seconds.",
                next_step="choose more or less.",
            )
        self.passes = 0
        self.last: Any = None
        self.error = ""
        self._function, self._args, self._every = function, args, every
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self._function, "__name__", "function")

    @property
    def is_running(self) -> bool:
        """Whether it still goes on."""
        return self._thread.is_alive()

    def stop(self) -> Loop:
        """Call it no more; a call that has begun is waited for. Stopping twice is no error."""
        self._end.set()
        if self._thread is threading.current_thread():
            return self
        self._thread.join(SILENT_SECONDS)
        if self._thread.is_alive():
            print(f"{self.name} has not returned yet: waiting for it, {JOIN_SECONDS} s at most.")  # noqa: T201
            self._thread.join(JOIN_SECONDS)
        return self

    def __repr__(self) -> str:
        state = "runs, after" if self.is_running else "stopped after"
        failed = f"; the last one failed: {self.error}" if self.error else ""
        return f"{self.name}: {state} {Varies(self.passes)} passes{failed}"

    def _run(self) -> None:
        while True:
            try:
                self.last = self._function(*self._args)
                self.error = ""
            except LabClosedError:
                return
            except Exception as error:  # noqa: BLE001  # a bad pass must not end the loop
                self.error = f"{type(error).__name__}: {error}"
            self.passes += 1
            if self._end.wait(self._every):
                return
