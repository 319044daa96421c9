from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Look = Callable[..., Any]
PHONE = 390


def test_page_is_no_wider_than_the_phone(look: Look, page: str) -> None:
    assert look(page, "light", PHONE).too_wide_px == 0


def test_page_has_no_axe_violation_with_every_fold_open(look: Look, page: str) -> None:
    assert look(page, "light", PHONE).violations == []


def test_page_does_not_shift_on_a_slow_machine(look: Look, page: str) -> None:
    assert look(page, "light", PHONE).layout_shift <= 0.002
