"""The end of `make lab`: shows a first container, then opens JupyterLab on the first chapter."""

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

import yaml
from jupyter_core.paths import jupyter_runtime_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
LEARN = ROOT / "learn"
BUILD = ROOT / "_build"
SERVER_SECONDS = 60
STOP_SECONDS = 15
TAIL_LINES = 15
ANNOUNCEMENTS = "@jupyterlab/apputils-extension:announcements"


def main() -> int:
    """Show that the engine works, and stay until JupyterLab ends."""
    # `make` passes on a polite request to end; it is answered like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # Importing takes a second, in which Ctrl-C would show a traceback.
        from first_container import say_first_container, say_what_it_took  # noqa: PLC0415

        say_what_it_took(BUILD / "setup.json")
        say_first_container()
        return _stay_with_jupyterlab(first_chapter())
    except KeyboardInterrupt:
        # JupyterLab answers Ctrl-C itself, and has ended when we come here.
        print("\nStopped. Your notebooks are in learn/; `make lab` opens them again.")
        return 0


def first_chapter() -> str:
    """Find the first page of `_toc.yml` that is a notebook, as a path below `learn/`."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return next(page for page in _pages(toc) if (ROOT / page).is_file())


def _pages(toc: dict[str, Any]) -> Iterator[str]:
    for part in toc["parts"]:
        for chapter in part["chapters"]:
            yield f"{chapter['file']}.ipynb"


def _stay_with_jupyterlab(chapter: str) -> int:
    log = BUILD / "jupyterlab.log"
    options = [
        "--ServerApp.ip=127.0.0.1",
        # Any free port, so that nothing has to be free.
        "--ServerApp.port=0",
        f"--ServerApp.root_dir={LEARN}",
        # Each clone keeps its own open tabs, and opens none of another clone's.
        f"--LabApp.workspaces_dir={BUILD / 'workspaces'}",
        "--no-browser",
        # Ctrl-C ends it without a question.
        "--ServerApp.answer_yes=True",
        # A shell that reads the system's profile would lose `.venv` from its PATH.
        f"--ServerApp.terminado_settings={{'shell_command': [{os.environ.get('SHELL', 'sh')!r}]}}",
        # It asks nobody outside for extensions.
        "--LabApp.extension_manager=readonly",
    ]
    if os.geteuid() == 0:
        options.append("--allow-root")
        print(
            "JupyterLab refuses to be started by root, because whoever gets in is root, too. "
            "It is allowed here: it listens on 127.0.0.1 only, and asks for a token."
        )
    _ask_for_no_news()
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
        print("JupyterLab has ended. `make lab` opens it again.")
    else:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        print(f"JupyterLab did not start or broke off.\n{tail}")
        print(f"Next: read {log}, then type `make lab` again.")
    return code


def _ask_for_no_news() -> None:
    """Leave out the part that asks for news and updates, and asks the learner whether it may."""
    page = Path(sys.prefix) / "etc/jupyter/labconfig/page_config.json"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(json.dumps({"disabledExtensions": {ANNOUNCEMENTS: True}}))


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
        print(f"JupyterLab opens {chapter} in your browser. Its address:\n\n  {url}\n")
    else:
        print(f"JupyterLab is ready. Open this address in a browser:\n\n  {url}\n")
    print("Ctrl-C here stops it.", flush=True)


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
