"""What the resources of a chapter cost on the real AWS, told before there are any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from facts import load_facts
from facts.costs import load_costs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Bill"]

# What is paid for the time that it is there. What is paid by use can't be told before.
BY_TIME: Final = ("hour", "vCPU-hour", "GB-hour")


@dataclass(frozen=True)
class Bill:
    """What is there at once, in units of the price list.

    Args:
        items: For each row of `facts/prices.yaml` that is paid by the hour, how many units.

    Raises:
        ValueError: There is no such price, or it is not one by the hour.

    Example:
        >>> print(Bill({"alb-hour": 1, "public-ipv4-hour": 2}))
                                                    units  $ a unit and hour
        An Application Load Balancer                    1             0.0225
        A public IPv4 address, used or not              2              0.005
        That is 0.0325 $ an hour; if it is forgotten for a month, 23.73 $.
        List prices of us-east-1 of 2026-11-23; traffic, logs and taxes come on top.
    """

    items: Mapping[str, float]

    def __post_init__(self) -> None:
        rows = load_facts().prices.rows
        for name in self.items:
            if name not in rows:
                raise ValueError(f"prices.yaml has no row {name!r}")
            if rows[name].unit not in BY_TIME:
                raise ValueError(f"{name} is paid by {rows[name].unit}, not by the hour")

    @property
    def per_hour(self) -> float:
        """The sum for an hour, in US dollars."""
        rows = load_facts().prices.rows
        return sum(rows[name].amount * units for name, units in self.items.items())

    @property
    def per_month(self) -> float:
        """The sum for a month in which nobody looks, in US dollars."""
        return self.per_hour * load_costs().hours_a_month

    def __str__(self) -> str:
        prices = load_facts().prices
        rows = [(prices.rows[name], units) for name, units in self.items.items()]
        width = max(len(row.what) for row, _ in rows)
        lines = [
            f"{'':{width}}  {'units':>10}  $ a unit and hour",
            *(f"{row.what:{width}}  {units:>10g}  {row.amount:>17g}" for row, units in rows),
        ]
        return (
            "\n".join(lines)
            + f"\nThat is {self.per_hour:.4f} $ an hour; if it is forgotten for a month, "
            f"{self.per_month:.2f} $.\n"
            f"List prices of us-east-1 of {prices.as_of}; traffic, logs and taxes come on top."
        )
