from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
CONFIG = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
HOOKS = [hook["id"] for repository in CONFIG["repos"] for hook in repository["hooks"]]


@pytest.mark.parametrize("hook", HOOKS)
def test_hook_finds_nothing(hook: str) -> None:
    command = [".venv/bin/pre-commit", "run", hook, "--all-files", "--color", "never"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
