"""The one thread in which the local AWS changes its state, and its way to the container engine.

Requests arrive in many threads, the engine blocks, and time passes: all of it meets in one loop, so
that no state needs a lock. What blocks runs beside it, in a pool of threads.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import logging
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["Cloud"]

T = TypeVar("T")
log = logging.getLogger(__name__)

# The engine starts about as many containers at once as it has cores; the rest of these wait.
ENGINE_THREADS = 16


class Cloud:
    """The loop of the local AWS. Everything but `call` and `close` is for use inside of it.

    Example:
        >>> cloud = Cloud()
        >>> async def answer():
        ...     return 42
        >>> cloud.call(answer())
        42
        >>> cloud.close()
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._pool = concurrent.futures.ThreadPoolExecutor(ENGINE_THREADS, "engine")
        self._under_way: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cloud", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the loop, from any other thread, and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def tell(self, function: Callable[..., object], *args: object) -> None:
        """Have the loop call something soon, from any thread, and do not wait."""
        self._loop.call_soon_threadsafe(function, *args)

    def spawn(
        self, work: Coroutine[Any, Any, object], *, awaited: bool = False
    ) -> asyncio.Task[Any]:
        """Do something beside what else is done.

        Args:
            work: What to do.
            awaited: Whether somebody waits for it, and so hears of what it raises. Else that is
                logged.
        """
        task = self._loop.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        if not awaited:
            task.add_done_callback(_log_error)
        return task

    def later(self, seconds: float, function: Callable[..., object], *args: object) -> Any:  # noqa: ANN401  # a timer
        """Call something when some time has passed; ``cancel()`` of the result prevents it."""
        return self._loop.call_later(seconds, function, *args)

    async def beside(self, function: Callable[..., T], *args: Any, **options: Any) -> T:  # noqa: ANN401
        """Run what blocks, such as a call of the engine, in the pool."""
        work = functools.partial(function, *args, **options)
        return await self._loop.run_in_executor(self._pool, work)

    def close(self) -> None:
        """End the loop; what is under way is given up, and what the engine was told is waited for.

        Otherwise the engine could still make a container when all of them have been removed.
        """

        async def give_up() -> None:
            for task in [*self._under_way]:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

        self.call(give_up())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._loop.close()


def _log_error(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("%s", task.get_name(), exc_info=error)
