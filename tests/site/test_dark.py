from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Look = Callable[..., Any]


def test_page_logs_no_error(look: Look, page: str) -> None:
    assert look(page, "dark").errors == []


def test_page_has_no_axe_violation_with_every_fold_open(look: Look, page: str) -> None:
    assert look(page, "dark").violations == []
