"""The bills of the chapters on AWS: whole, by the hour, and summed as a learner would."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from facts import FactsError, load_facts
from facts.bills import load_bills
from facts.road import load_road

ROOT = Path(__file__).parents[2]
CHAPTERS = {path.stem: path for path in (ROOT / "chapters").glob("[0-9]*.ipynb")}


def test_each_chapter_on_aws_has_its_bill() -> None:
    [aws] = [part for part in load_road().parts if part.caption == "AWS"]
    assert list(load_bills()) == list(aws.chapters)


def test_a_bill_is_the_sum_of_its_units_at_their_prices() -> None:
    rows = load_facts().prices.rows
    bill = load_bills()["10-containers-on-aws"]
    task = 0.25 * rows["fargate-x86-vcpu-hour"].amount + 0.5 * rows["fargate-x86-gb-hour"].amount
    assert round(task * 730, 2) == 9.01
    assert bill.hour == pytest.approx(task + rows["public-ipv4-hour"].amount)
    assert bill.month == pytest.approx(730 * bill.hour)
    assert load_bills()["14-kubernetes"].month == 0


@pytest.mark.parametrize("stem", [stem for stem in load_bills() if stem in CHAPTERS])
def test_the_page_shows_the_bill_that_is_printed_before_anything_is_made(stem: str) -> None:
    bill = load_bills()[stem]
    said = str(bill)
    assert f"{bill.hour:.4f} $ an hour,\nand {bill.month:.2f} $ if it is forgotten" in said
    assert max(map(len, said.splitlines())) <= 43  # a phone shows it whole
    assert str(load_facts().prices.as_of) in said
    page = nbformat.read(CHAPTERS[stem], as_version=4)
    assert any(said in cell.source for cell in page.cells)


@pytest.mark.parametrize(
    ("item", "said"),
    [("fargate", "no row 'fargate'"), ("ebs-gp3-gb-month", "not paid by the hour")],
)
def test_a_price_that_does_not_fit_is_refused(tmp_path: Path, item: str, said: str) -> None:
    path = tmp_path / "bills.yaml"
    path.write_text(f"10-x:\n  has: something\n  items: {{{item}: 1}}\n")
    with pytest.raises(FactsError, match=said):
        load_bills(path)
