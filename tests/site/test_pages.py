"""Each page on a desk and in light; test_dark.py and test_phone.py see them otherwise."""

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import stored_widgets

pytestmark = pytest.mark.browser

Look = Callable[..., Any]


def test_page_asks_no_host_but_its_own(look: Look, page: str) -> None:
    assert look(page).foreign == []


def test_page_logs_no_error(look: Look, page: str) -> None:
    assert look(page).errors == []


def test_page_has_no_axe_violation_with_every_fold_open(look: Look, page: str) -> None:
    assert look(page).violations == []


def test_page_does_not_shift_on_a_slow_machine(look: Look, page: str) -> None:
    assert look(page).layout_shift <= 0.002


def test_page_holds_every_widget_of_its_notebook(look: Look, page: str) -> None:
    assert [name for name, _ in look(page).widgets] == stored_widgets(page)


def test_every_widget_says_that_it_is_ready(look: Look, page: str) -> None:
    assert look(page).not_ready == []
