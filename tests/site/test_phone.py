import statistics
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Look = Callable[..., Any]
PHONE = 390
SHIFT = 0.002


def test_page_is_no_wider_than_the_phone(look: Look, page: str) -> None:
    assert look(page, "light", PHONE).too_wide_px == 0


def test_page_has_no_axe_violation_with_every_fold_open(look: Look, page: str) -> None:
    assert look(page, "light", PHONE).violations == []


def test_page_does_not_shift_on_a_slow_machine(
    look: Look, look_again: Look, address: str, page: str
) -> None:
    shift = look(page, "light", PHONE).layout_shift
    if shift > SHIFT:
        # A paint in the middle of a table moves its columns once: the middle of three visits.
        visits = [look_again(address + page, "light", PHONE, cpu_slowdown=6) for _ in range(2)]
        shift = statistics.median([shift, *(visit.layout_shift for visit in visits)])
    assert shift <= SHIFT
