"""How long your loop and Swarm took to heal and to scale, as it was measured."""

from facts.times import Timed, load_times
from widgets.base import render

__all__ = ["HealTimes"]


class HealTimes:
    """Shows the medians, with the fastest and the slowest run, and where they come from.

    Example:
        >>> print(repr(HealTimes()).splitlines()[0])
        Seconds: the median, and in brackets the fastest and the slowest run
    """

    def __init__(self) -> None:
        self._times = load_times()

    def __repr__(self) -> str:
        times = self._times
        lines = [
            f"{asks} {title}: {_say(times.rows[row][column])}"
            for row, asks in times.asks.items()
            for column, title in times.columns.items()
        ]
        return "\n".join([self._about, *lines, self._where])

    @property
    def _about(self) -> str:
        return "Seconds: the median, and in brackets the fastest and the slowest run"

    @property
    def _where(self) -> str:
        times = self._times
        runs = sorted({timed.n for row in times.rows.values() for timed in row.values()})
        several = f"{runs[0]} to {runs[-1]}" if len(runs) > 1 else str(runs[0])
        busy = f", which were busy with other work (load {times.load})" if times.is_busy else ""
        return (
            f"{several} runs each, measured on {times.date} with {times.engine} "
            f"on {times.cores} cores{busy}"
        )

    def _repr_html_(self) -> str:
        times = self._times
        rows = [
            (asks, [(title, times.rows[row][column]) for column, title in times.columns.items()])
            for row, asks in times.asks.items()
        ]
        return render(
            "heal_times",
            {
                "about": self._about,
                "where": self._where,
                "columns": times.columns.values(),
                "rows": rows,
            },
        )


def _say(timed: Timed) -> str:
    return f"{timed.median:.1f} ({timed.least:.1f} to {timed.most:.1f})"
