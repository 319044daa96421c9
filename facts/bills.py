"""What each chapter on AWS would cost there: an hour, and a month in which nobody looks."""

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from facts.costs import load_costs
from facts.records import FactsError, Price, Record, load_facts, read_as

__all__ = ["ChapterBill", "load_bills"]

_BILLS = Path(__file__).parent / "bills.yaml"
# What is paid for the time that it is there. What is paid by use can't be told before.
_BY_TIME = ("hour", "vCPU-hour", "GB-hour")


class ChapterBill(Record):
    """What a chapter has on AWS at once.

    Attributes:
        has: The same in words.
        items: For each row of `prices.yaml` that is paid by the hour, how many units.

    Example:
        >>> print(ChapterBill(has="a way in", items={"alb-hour": 1, "public-ipv4-hour": 2}))
        An Application Load Balancer
            1 at 0.0225 $ an hour
        A public IPv4 address, used or not
            2 at 0.005 $ an hour
        That is 0.0325 $ an hour,
        and 23.73 $ if it is forgotten for a month.
        List prices of us-east-1 of 2026-11-23;
        traffic, logs and taxes come on top.
    """

    has: Annotated[str, Field(min_length=1)]
    items: dict[str, Annotated[float, Field(gt=0)]]

    def __str__(self) -> str:
        """Say it as it is said before anything is made."""
        rows = [
            f"{price.what}\n    {units:g} at {price.amount} $ an hour"
            for units, price in self.prices
        ]
        return "\n".join(
            [
                *rows,
                f"That is {self.hour:.4f} $ an hour,",
                f"and {self.month:.2f} $ if it is forgotten for a month.",
                f"List prices of us-east-1 of {load_facts().prices.as_of};",
                "traffic, logs and taxes come on top.",
            ]
        )

    @property
    def prices(self) -> list[tuple[float, Price]]:
        """How many units at which price."""
        rows = load_facts().prices.rows
        return [(units, rows[name]) for name, units in self.items.items()]

    @property
    def hour(self) -> float:
        """US dollars an hour."""
        return sum(units * price.amount for units, price in self.prices)

    @property
    def month(self) -> float:
        """US dollars a month, if it is forgotten."""
        return self.hour * load_costs().hours_a_month


@cache
def load_bills(path: Path = _BILLS) -> dict[str, ChapterBill]:
    """Read what each chapter has on AWS, by its stem.

    Raises:
        FactsError: A row has another shape, or a price that is unknown or not by the hour.

    Example:
        >>> round(load_bills()["10-containers-on-aws"].hour, 4)
        0.0173
    """
    bills = read_as(dict[str, ChapterBill], path)
    rows = load_facts().prices.rows
    for stem, bill in bills.items():
        for name in bill.items:
            if name not in rows:
                raise FactsError(f"bills.yaml, {stem}: prices.yaml has no row {name!r}.")
            if rows[name].unit not in _BY_TIME:
                raise FactsError(f"bills.yaml, {stem}: {name} is not paid by the hour.")
    return bills
