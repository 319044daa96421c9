"""Runs a first container for `make lab`, and tells how long that and all before it took."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import docker.errors
import requests
from rich.console import Console
from rich.table import Table

from lab import Lab, LabError
from lab.engine import find_engine
from lab.naming import Naming, current_learner

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["run_first_container", "say_first_container", "say_what_it_took"]

console = Console(highlight=False)


def say_what_it_took(record_file: Path) -> None:
    """Show a table of the time that setting up has taken, as tools/setup.py wrote it down."""
    record = json.loads(record_file.read_text())
    table = Table("step", "what it did", "seconds", title="Before the first container")
    table.columns[2].justify = "right"
    for step in record["steps"]:
        table.add_row(step["name"], step["what"], f"{step['seconds']:.1f}")
    total = sum(step["seconds"] for step in record["steps"])
    table.add_row("", "together", f"{total:.1f}", style="bold")
    console.print(table)


def say_first_container() -> None:
    """Tell how long a first container took, or why there was none and what works without."""
    if os.environ.get("ENGINE") == "none":
        console.print("Without an engine no container runs; the stored outputs are there to read.")
        return
    try:
        seconds, answer = run_first_container()
    except (LabError, docker.errors.DockerException, requests.RequestException) as error:
        console.print(f"The first container did not work. {error}", markup=False)
        console.print(
            "`.venv/bin/lab doctor` looks closer. What works all the same: the stored outputs "
            "in the notebooks, the diagrams and questions, and the book of `make site`."
        )
        return
    console.print(
        f"Your first container took {seconds * 1000:.0f} ms from start to answer. "
        f"It said {json.dumps(answer)}, and it is gone again.",
        markup=False,
    )


def run_first_container() -> tuple[float, dict[str, Any]]:
    """Run one container of the course's application, ask it something, and remove it.

    Returns:
        Seconds from the request to start it until its answer was here, and the answer.

    Raises:
        LabError: There is no engine, no image, or no answer.
        docker.errors.DockerException: The engine refuses.
    """
    engine = find_engine()
    naming = Naming(chapter="start", learner=current_learner())
    # No lock: this is no chapter that another notebook could have open.
    lab = Lab(engine, naming, lock=None)
    try:
        begin = time.monotonic()
        # docker-py's documented way to let the system choose a port, which its types do not know.
        ports: dict[str, Any] = {"8080/tcp": ("127.0.0.1", None)}
        web = lab.docker.containers.run(
            "course/app:1", name=lab.name("first"), ports=ports, detach=True
        )
        answer: dict[str, Any] = requests.get(lab.wait_ready(web), timeout=10).json()
        return time.monotonic() - begin, answer
    finally:
        lab.close()
        engine.client.close()
