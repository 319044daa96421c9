from pathlib import Path

import pytest

from widgets.site_styles import SHEETS, bundle, keep_used


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        (".note{a:b}", ".note{a:b}"),
        (".gone{a:b}", ""),
        (".gone, p.note > a{a:b}", "p.note > a{a:b}"),
        ("p{a:b}", "p{a:b}"),
        (".note .gone{a:b}", ""),
        (".note:not(.gone){a:b}", ".note:not(.gone){a:b}"),
        (".note:is(.gone, .gone:not(.note)){a:b}", ".note:is(.gone, .gone:not(.note)){a:b}"),
        ("[data-theme=dark] .note{a:b}", "[data-theme=dark] .note{a:b}"),
        ("@media print{.gone{a:b}.note{a:b}}", "@media print{.note{a:b}}"),
        ("@media print{.gone{a:b}}", ""),
        ('@font-face{font-family:"Icons"}', ""),
        (".\\31 2{a:b}", ""),
    ],
)
def test_a_rule_stays_if_a_page_can_use_it(css: str, kept: str) -> None:
    assert keep_used(css, frozenset({"note", "data", "theme", "dark"})) == kept


def test_a_stylesheet_that_does_not_parse_is_refused() -> None:
    with pytest.raises(ValueError, match="does not parse"):
        keep_used("p { color: red } }", frozenset())


def test_a_missing_sheet_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=SHEETS[0]):
        bundle(tmp_path, frozenset())
