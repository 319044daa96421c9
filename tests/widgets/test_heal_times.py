from __future__ import annotations

import re

from facts.times import load_times
from widgets import HealTimes


def test_the_text_and_the_table_show_every_figure_and_where_it_is_from() -> None:
    times = load_times()
    text, markup = repr(HealTimes()), HealTimes()._repr_html_()
    for row in times.rows.values():
        for timed in row.values():
            assert f"{timed.median:.1f} ({timed.least:.1f} to {timed.most:.1f})" in text
            assert f"<strong>{timed.median:.1f} s</strong>" in markup
    for where in (str(times.date), times.engine, f"{times.cores} cores", "10 runs each"):
        assert where in text
        assert where in markup
    assert len(re.findall("<td", markup)) == len(times.asks) * len(times.columns)
