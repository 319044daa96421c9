from __future__ import annotations

import dataclasses
import json
import os
import socketserver
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import setup

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'
UBUNTU = 'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n'
MINT = 'ID=linuxmint\nID_LIKE="ubuntu debian"\n'
FEDORA = "ID=fedora\nVERSION_ID=42\n"
LOCK = """\
anyio==4.16.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via httpx
uv==0.13.9 \\
    --hash=sha256:cc \\
    --hash=sha256:dd
    # via containers-on-aws (pyproject.toml)
uvloop==1.0 \\
    --hash=sha256:ee
"""
PROJECT = """\
[project]
name = "x"
dependencies = ["{dependency}"]
[tool.setuptools]
packages = ["lab"]
[tool.ruff]
line-length = {length}
"""
MACHINE = setup.Machine(system="linux", distribution="debian", is_root=False, python=(3, 11))


@pytest.fixture
def doors(tmp_path: Path) -> setup.Setup:
    (tmp_path / "requirements.lock").write_text(LOCK)
    (tmp_path / "pyproject.toml").write_text(PROJECT.format(dependency="anyio", length=100))
    made = setup.Setup(tmp_path, ["venv"])
    made.machine = MACHINE
    made.step = setup.Step("venv")
    return made


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13), (3, 13, 2)])
def test_takes_a_python_that_fits(version: tuple[int, ...]) -> None:
    setup.check_python(version)


@pytest.mark.parametrize(
    ("version", "says"), [((3, 9), "3.9, older"), ((2, 7), "2.7, older"), ((3, 14), "3.14, newer")]
)
def test_refuses_another_python_and_says_which_fits(version: tuple[int, int], says: str) -> None:
    with pytest.raises(setup.SetupError) as refusal:
        setup.check_python(version)
    assert says in str(refusal.value)
    assert "3.11 to 3.13" in str(refusal.value)
    assert "PYTHON=python3.13" in refusal.value.next_step


@pytest.mark.parametrize(
    ("text", "name"),
    [(DEBIAN, "debian"), (UBUNTU, "ubuntu"), (MINT, "ubuntu"), (FEDORA, ""), ("", "")],
)
def test_knows_the_distribution(text: str, name: str) -> None:
    assert setup.distribution_of(text) == name


def test_names_one_command_for_each_system() -> None:
    root = dataclasses.replace(MACHINE, is_root=True)
    mac = dataclasses.replace(MACHINE, system="darwin", distribution="")
    ubuntu = dataclasses.replace(MACHINE, distribution="ubuntu")
    install = "apt-get install --no-install-recommends chromium"
    assert MACHINE.browser_command() == f"sudo {install}"
    assert root.browser_command() == install
    assert mac.browser_command().startswith("brew install")
    assert "playwright install" in ubuntu.browser_command()
    assert MACHINE.venv_package == "python3.11-venv"


def test_recognises_that_there_is_no_network() -> None:
    said = "Err:1 http://example InRelease\n  Temporary failure resolving 'example'"
    error = setup.blame("apt failed.", said, next_step="shout")
    assert "no network" in error.what
    assert error.next_step.startswith("connect")
    assert "Temporary failure" in str(error)


def test_recognises_a_full_disk() -> None:
    error = setup.blame("uv failed.", "error: No space left on device", next_step="shout")
    assert "full" in error.what
    assert error.next_step.startswith("make room")


def test_shows_the_end_of_what_a_program_said() -> None:
    said = "\n\n".join(f"line {number}" for number in range(100))
    error = setup.blame("It failed.", said, next_step="read it.")
    shown = str(error).splitlines()
    assert shown[0] == "It failed."
    assert shown[1].strip() == "line 85"
    assert shown[-2].strip() == "line 99"
    assert shown[-1] == "Next: read it."


def test_takes_uv_and_its_hashes_out_of_the_lock() -> None:
    entry = "uv==0.13.9 \\\n    --hash=sha256:cc \\\n    --hash=sha256:dd\n"
    assert setup.lock_entry(LOCK, "uv") == entry


def test_says_that_the_lock_lacks_a_package() -> None:
    with pytest.raises(setup.SetupError, match="does not list ruff"):
        setup.lock_entry(LOCK, "ruff")


def test_the_lock_of_the_course_lists_uv() -> None:
    assert "--hash=" in setup.lock_entry((ROOT / "requirements.lock").read_text(), "uv")


def wheel(folder: Path, name: str, version: str) -> None:
    """Write the smallest package that uv takes for one."""
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        archive.writestr(f"{about}/METADATA", head)
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")


@pytest.fixture
def orchard(doors: setup.Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> setup.Setup:
    """Two packages in a folder, of which the lock has one, in its older version."""
    (tmp_path / "packages").mkdir()
    for name, version in (("apple", "1.0"), ("apple", "2.0"), ("pear", "1.0")):
        wheel(tmp_path / "packages", name, version)
    (tmp_path / "pyproject.toml").write_text(
        "[project]\nname = 'x'\nversion = '1'\ndependencies = ['apple', 'pear']\n"
        "[project.optional-dependencies]\nbook = []\ndev = []\n"
    )
    (tmp_path / "requirements.lock").write_text("apple==1.0\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for program in ("python", "uv"):
        (tmp_path / ".venv" / "bin" / program).symlink_to(ROOT / ".venv" / "bin" / program)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "packages"))
    return doors


def locked(folder: Path) -> list[str]:
    lines = (folder / "requirements.lock").read_text().splitlines()
    return [line.split()[0] for line in lines if "==" in line and not line.startswith(" ")]


def test_lock_keeps_what_is_locked_and_adds_what_is_new(
    orchard: setup.Setup, tmp_path: Path
) -> None:
    setup.STEPS["lock"](orchard)
    assert locked(tmp_path) == ["apple==1.0", "pear==1.0"]
    assert "--hash=" in setup.lock_entry((tmp_path / "requirements.lock").read_text(), "pear")


def test_upgrade_takes_the_newest_of_everything(orchard: setup.Setup, tmp_path: Path) -> None:
    setup.STEPS["upgrade"](orchard)
    assert locked(tmp_path) == ["apple==2.0", "pear==1.0"]


def test_stamp_stays_when_nothing_that_matters_changes(doors: setup.Setup, tmp_path: Path) -> None:
    before = doors.venv_stamp()
    (tmp_path / "pyproject.toml").write_text(PROJECT.format(dependency="anyio", length=80))
    assert doors.venv_stamp() == before


def test_stamp_changes_with_lock_dependency_and_python(doors: setup.Setup, tmp_path: Path) -> None:
    stamps = [doors.venv_stamp()]
    (tmp_path / "requirements.lock").write_text(LOCK.replace("aa", "ff"))
    stamps.append(doors.venv_stamp())
    (tmp_path / "pyproject.toml").write_text(PROJECT.format(dependency="httpx", length=100))
    stamps.append(doors.venv_stamp())
    doors.machine = dataclasses.replace(MACHINE, python=(3, 12))
    stamps.append(doors.venv_stamp())
    assert len({json.dumps(stamp) for stamp in stamps}) == len(stamps)


def test_environment_that_is_still_good_is_left_alone(doors: setup.Setup, tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    stamp = tmp_path / ".venv" / "stamp.json"
    stamp.write_text(json.dumps(doors.venv_stamp()))
    doors.make_venv()
    assert doors.step.said == []
    assert stamp.exists()


def test_environment_whose_python_is_gone_is_not_good(doors: setup.Setup, tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(tmp_path / "gone")
    assert not doors._has_python()


def test_missing_packages_are_only_those_that_the_steps_need(
    doors: setup.Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("CHROMIUM", "DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(setup, "DOCKER_SOCKET", str(tmp_path / "docker.sock"))
    monkeypatch.setattr(setup, "BROWSER_PATHS", ())
    monkeypatch.setattr(setup, "BROWSER_NEEDS", {"libnone1": "no/such/*.so", "dash": "bin/sh"})
    doors.steps = ["engine", "browser"]
    assert doors._missing_packages() == ["docker.io", "chromium", "libnone1"]
    doors.steps = ["browser"]
    assert doors._missing_packages() == ["chromium", "libnone1"]
    doors.steps = ["engine"]
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:2375")
    assert doors._missing_packages() == []


def test_finds_a_browser_on_the_path(tmp_path: Path) -> None:
    program = tmp_path / "my-browser"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert setup.find_browser({"CHROMIUM": str(program)}) == str(program)
    assert setup.find_browser({"CHROMIUM": str(tmp_path / "none")}) == ""


def test_a_file_that_was_cut_off_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text('{"host": "un')
    assert setup.read_json(tmp_path / "cut.json") == {}
    assert setup.read_json(tmp_path / "none.json") == {}


def test_program_that_fails_shows_its_last_words(doors: setup.Setup) -> None:
    with pytest.raises(setup.SetupError) as failure:
        doors._run(["sh", "-c", "echo first; echo last words >&2; exit 3"], "It failed.")
    assert "last words" in failure.value.tail
    assert "same command again" in failure.value.next_step


def test_program_that_is_not_there_is_named(doors: setup.Setup) -> None:
    with pytest.raises(setup.SetupError, match="no-such-program"):
        doors._run(["no-such-program"], "It failed.")


def test_program_gets_nothing_to_read(doors: setup.Setup) -> None:
    doors._run(["cat"], "cat waited for somebody who types.")


def test_step_is_one_line_with_its_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    step = setup.Step("venv")
    step.say("making .venv")
    step.say("installing 3 packages")
    step.close()
    line = capsys.readouterr().out
    assert line.startswith("venv    making .venv, installing 3 packages: ")
    assert line.endswith(" s\n")
    assert line.count("\n") == 1


class Engine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name that the server calls
        known = {"/_ping": b"OK", "/images/json": b'[{"Id": "sha256:aa"}]'}
        content = known.get(self.path)
        self.send_response(200 if content else 500)
        self.end_headers()
        self.wfile.write(content or b"broken")

    def address_string(self) -> str:
        return "socket"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its own name
        """Say nothing."""


@pytest.fixture
def engine_socket(tmp_path: Path) -> Iterator[str]:
    # A path of a socket must be short.
    path = os.path.relpath(tmp_path / "s")
    with socketserver.UnixStreamServer(path, Engine) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield path
        server.shutdown()
        thread.join()


def test_asks_an_engine_over_its_socket(engine_socket: str) -> None:
    assert setup.ask(engine_socket, "/_ping") is True
    assert setup.ask(engine_socket, "/images/json") == [{"Id": "sha256:aa"}]


def test_engine_that_is_broken_or_gone_gives_no_answer(engine_socket: str, tmp_path: Path) -> None:
    assert setup.ask(engine_socket, "/info") is None
    assert setup.ask(str(tmp_path / "none"), "/_ping") is None
    assert setup.ask("", "/_ping") is None
