from __future__ import annotations

import re

import pytest

from facts import load_facts
from widgets import EksCalendar

ROWS = load_facts().versions.rows


def test_the_first_paint_has_every_day_of_every_version() -> None:
    markup = EksCalendar().markup
    for name, row in ROWS.items():
        cells = re.search(rf'<tr data-row="{name}".*?</tr>', markup)[0]
        for day in (row.upstream, row.on_eks, row.standard_until, row.extended_until):
            assert f"<td>{day}</td>" in cells
        assert ("<mark>second-hand</mark>" in cells) == (row.confidence == "second-hand")


def test_the_bars_follow_each_other_and_stay_in_the_drawing() -> None:
    bars = re.findall(
        r'<rect class="(standard|extended)" x="([\d.]+)" y="\d+" width="([\d.]+)" height="14"',
        EksCalendar().markup,
    )
    assert [kind for kind, _, _ in bars] == ["standard", "extended"] * len(ROWS)
    for (_, x, width), (_, after, _) in zip(bars[::2], bars[1::2], strict=True):
        assert float(x) + float(width) == pytest.approx(float(after), abs=0.11)
    assert max(float(x) + float(width) for _, x, width in bars) <= 332.1


def test_it_stands_on_the_table_s_own_day_and_tells_what_to_do() -> None:
    text = repr(EksCalendar())
    assert f"1.33 on {load_facts().versions.as_of}: extended support, $438.00 a month" in text
    assert "Upgrade by 2027-07-29 at the latest, in 248 days" in text
    assert "1 upgrade leads to standard support: 1.34." in text
    assert "4 upgrades, one minor version each, lead to the newest" in text


@pytest.mark.parametrize(
    ("version", "today", "said"),
    [
        ("1.34", "2026-12-02", "Upgrade by 2026-12-02, that very day: with that day standard"),
        ("1.34", "2026-12-01", "Upgrade by 2026-12-02, the day after: with"),
        ("1.31", "2026-11-27", "EKS has upgraded the cluster itself, to 1.32: extended"),
        ("1.31", "2026-11-27", "1.31 on 2026-11-27: no support."),
        ("1.37", "2026-11-23", "1.37 is the newest of this calendar on EKS that day."),
        ("1.37", "2028-11-23", "No version of this calendar has standard support on that day."),
    ],
)
def test_each_case_has_its_words(version: str, today: str, said: str) -> None:
    assert said in EksCalendar(version=version, today=today).markup


def test_far_from_its_own_day_it_warns() -> None:
    assert 'data-slot="age" hidden></p>' in EksCalendar(today="2027-01-22").markup
    assert "newer versions will have come" in EksCalendar(today="2027-01-23").markup


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"version": "1.30"}, "no version '1.30'"),
        ({"today": "today"}, "today: a day such as 2026-11-23, not 'today'."),
        ({"today": "2029-01-01"}, "2029-01-01 is not in it"),
        ({"version": "1.37", "today": "2026-10-01"}, "not yet on 2026-10-01"),
    ],
)
def test_bad_input_is_refused(options: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        EksCalendar(**options)
