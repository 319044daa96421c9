from __future__ import annotations

from pathlib import Path

import pytest

from widgets.drawings import faults, inline

STYLE = (Path(__file__).parents[2] / "widgets/static/drawing.css").read_text("utf-8").strip()
GOOD = (
    '<svg xmlns="http://www.w3.org/2000/svg" class="drawing" viewBox="0 0 360 100">'
    f'<style>{STYLE}</style><rect class="box own" width="10" height="10"/></svg>'
)


def test_a_drawing_in_the_one_style_has_no_fault() -> None:
    assert list(faults(GOOD)) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("360 100", "800 100", "viewBox of width 800"),
        ('class="drawing"', 'class="sketch"', 'has not class="drawing"'),
        ("--soft", "--other", "is not what widgets/static/drawing.css holds"),
        ("<rect", '<rect id="a"', "has the id 'a'"),
        ("<rect", '<rect fill="red"', "a rect has a colour of its own"),
        ("box own", "box odd", "has the unknown class odd"),
        ("</svg>", "", "is no XML"),
    ],
)
def test_each_fault_of_a_drawing_is_named(old: str, new: str, fault: str) -> None:
    assert any(fault in said for said in faults(GOOD.replace(old, new, 1)))


def test_in_a_page_it_is_an_image_with_a_description() -> None:
    markup = inline(GOOD, 'What "it" shows')
    assert markup.startswith("<svg ")
    assert 'role="img"' in markup
    assert 'aria-label="What &quot;it&quot; shows"' in markup
