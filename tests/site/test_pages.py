from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Look = Callable[..., Any]
KB = 1024
PHONE = 390


def test_page_asks_no_host_but_its_own(look: Look, page: str) -> None:
    assert look(page).foreign == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_page_logs_no_error(look: Look, page: str, theme: str) -> None:
    assert look(page, theme).errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_page_has_no_axe_violation_with_every_fold_open(look: Look, page: str, theme: str) -> None:
    assert look(page, theme).violations == []


def test_page_has_no_axe_violation_on_a_phone(look: Look, page: str) -> None:
    assert look(page, "light", PHONE).violations == []


def test_page_is_no_wider_than_a_phone(look: Look, page: str) -> None:
    assert look(page, "light", PHONE).too_wide_px == 0


def test_page_loads_little_and_never_blocks(
    look: Look, look_again: Look, address: str, page: str, record_budget: Callable[..., None]
) -> None:
    seen = look(page)
    blocking = seen.blocking_ms
    if blocking > 0:
        # Another program can hold the browser up, none can speed it up: the best of three.
        blocking = min(blocking, *(look_again(address + page).blocking_ms for _ in range(2)))
    record_budget(page, seen, blocking)
    assert seen.bytes_without_images <= 150 * KB
    assert seen.script_bytes <= 50 * KB
    assert blocking <= 50


@pytest.mark.parametrize("width", [1350, PHONE])
def test_page_does_not_shift_on_a_slow_machine(
    look_again: Look, address: str, page: str, width: int
) -> None:
    # What arrives in one go on a fast machine arrives bit by bit on a slow one.
    assert look_again(address + page, "light", width, cpu_slowdown=6).layout_shift <= 0.002
