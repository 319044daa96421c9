from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.aws.cloud import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    made = Cloud()
    yield made
    made.close()
