"""Each page on a desk and in light; test_dark.py and test_phone.py see them otherwise."""

import statistics
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import stored_widgets

pytestmark = pytest.mark.browser

Look = Callable[..., Any]
SHIFT = 0.002


def test_page_asks_no_host_but_its_own(look: Look, page: str) -> None:
    assert look(page).foreign == []


def test_page_logs_no_error(look: Look, page: str) -> None:
    assert look(page).errors == []


def test_page_has_no_axe_violation_with_every_fold_open(look: Look, page: str) -> None:
    assert look(page).violations == []


def test_page_does_not_shift_on_a_slow_machine(
    look: Look, look_again: Look, address: str, page: str
) -> None:
    shift = look(page).layout_shift
    if shift > SHIFT:
        # A paint in the middle of a table moves its columns once: the middle of three visits.
        visits = [look_again(address + page, cpu_slowdown=6) for _ in range(2)]
        shift = statistics.median([shift, *(visit.layout_shift for visit in visits)])
    assert shift <= SHIFT


def test_page_holds_every_widget_of_its_notebook(look: Look, page: str) -> None:
    assert [name for name, _ in look(page).widgets] == stored_widgets(page)


def test_every_widget_says_that_it_is_ready(look: Look, page: str) -> None:
    assert look(page).not_ready == []
