from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import tenacity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.fail("mounts a small disk: run the tests as root")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        _unmount(folder)


@tenacity.retry(stop=tenacity.stop_after_delay(20), wait=tenacity.wait_fixed(0.05), reraise=True)
def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--recursive", str(folder)], check=True)
