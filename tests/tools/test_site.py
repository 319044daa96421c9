from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_day_of_the_build_that_is_none_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "site.py"), "--into", str(tmp_path)],
        env={**os.environ, "SOURCE_DATE_EPOCH": "soon"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("SOURCE_DATE_EPOCH is 'soon': give the seconds since 1970")
    assert not list(tmp_path.iterdir())
