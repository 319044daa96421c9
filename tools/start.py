"""The end of `make lab`: runs a first container, then opens JupyterLab on the first chapter."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker.errors
import requests
import yaml
from jupyter_core.paths import jupyter_runtime_dir
from rich.console import Console
from rich.table import Table

from lab import Lab, LabError
from lab.engine import find_engine
from lab.naming import Naming, current_learner

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
LEARN = ROOT / "learn"
BUILD = ROOT / "_build"
SERVER_SECONDS = 60
STOP_SECONDS = 15
TAIL_LINES = 15

# Addresses must come through whole, so that they can be clicked.
console = Console(soft_wrap=True, highlight=False)


def main() -> int:
    """Show that the engine works, and stay until JupyterLab ends."""
    # `make` passes on a polite request to end; it is answered like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _say_what_it_took()
        _say_first_container()
        return _stay_with_jupyterlab(first_chapter())
    except KeyboardInterrupt:
        # JupyterLab answers Ctrl-C itself, and has ended when we come here.
        console.print("\nStopped. Your notebooks are in learn/; `make lab` opens them again.")
        return 0


def first_chapter() -> str:
    """Find the first page of `_toc.yml` that is a notebook, as a path below `learn/`."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return next(page for page in _pages(toc) if (ROOT / page).is_file())


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


def _pages(toc: dict[str, Any]) -> Iterator[str]:
    for part in toc["parts"]:
        for chapter in part["chapters"]:
            yield f"{chapter['file']}.ipynb"


def _say_what_it_took() -> None:
    record = json.loads((BUILD / "setup.json").read_text())
    table = Table("step", "what it did", "seconds", title="Before the first container")
    table.columns[2].justify = "right"
    for step in record["steps"]:
        table.add_row(step["name"], step["what"], f"{step['seconds']:.1f}")
    total = sum(step["seconds"] for step in record["steps"])
    table.add_row("", "together", f"{total:.1f}", style="bold")
    Console().print(table)


def _say_first_container() -> None:
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


def _stay_with_jupyterlab(chapter: str) -> int:
    log = BUILD / "jupyterlab.log"
    options = [
        "--ServerApp.ip=127.0.0.1",
        # Any free port, so that nothing has to be free.
        "--ServerApp.port=0",
        f"--ServerApp.root_dir={LEARN}",
        "--ServerApp.open_browser=False",
        # Ctrl-C ends it without a question.
        "--ServerApp.answer_yes=True",
        # A shell that reads the system's profile would lose `.venv` from its PATH.
        f"--ServerApp.terminado_settings={{'shell_command': [{os.environ.get('SHELL', 'sh')!r}]}}",
        # It asks nobody outside for news, versions or extensions.
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdates",
        "--LabApp.extension_manager=readonly",
    ]
    if os.geteuid() == 0:
        options.append("--allow-root")
        console.print(
            "JupyterLab refuses to be started by root, because whoever gets in is root, too. "
            "Here it is let: it listens on 127.0.0.1 only, and asks for a token."
        )
    programs = f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env={**os.environ, "PATH": programs, "VIRTUAL_ENV": str(ROOT / ".venv")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        address = _address(server)
        if address:
            _open(address, chapter)
            server.wait()
    finally:
        _end(server)
    # Ended by Ctrl-C it says 0, too; here it was not, so it ended by itself.
    code = server.returncode if address else 1
    if code == 0:
        console.print("JupyterLab has ended. `make lab` opens it again.")
    else:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        console.print(f"JupyterLab did not start or broke off.\n{tail}", markup=False)
        console.print(f"Next: read {log}, then type `make lab` again.")
    return code


def _address(server: subprocess.Popen[bytes]) -> dict[str, Any] | None:
    """Wait until the server has written down where it listens; `None` if it does not."""
    note = Path(jupyter_runtime_dir()) / f"jpserver-{server.pid}.json"
    deadline = time.monotonic() + SERVER_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            address: dict[str, Any] = json.loads(note.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            # Not there yet, or half written.
            time.sleep(0.1)
        else:
            return address
    return None


def _open(address: dict[str, Any], chapter: str) -> None:
    url = f"{address['url']}lab/tree/{chapter}?token={address['token']}"
    has_display = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if has_display and webbrowser.open(url):
        console.print(f"JupyterLab opens {chapter} in your browser. Its address:\n\n  {url}\n")
    else:
        console.print(f"JupyterLab is ready. Open this address in a browser:\n\n  {url}\n")
    console.print("Ctrl-C here stops it.")


def _end(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is not None:
        return
    server.terminate()
    try:
        server.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()


if __name__ == "__main__":
    sys.exit(main())
