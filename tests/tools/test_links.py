from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from links import find

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


class Host(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        moved = self.path == "/moved"
        self.send_response(301 if moved else 200 if self.path == "/here" else 404)
        if moved:
            self.send_header("Location", "/here")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "site" / "chapters").mkdir(parents=True)
    (tmp_path / "facts").mkdir()
    return tmp_path


def run(repository: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "tools" / "links.py", repository / "site"]
    return subprocess.run(
        [*command, "--root", repository], capture_output=True, text=True, check=False
    )


def test_dead_links_are_named_with_the_pages_that_have_them(repository: Path, host: str) -> None:
    (repository / "site" / "chapters" / "a.html").write_text(
        f'<a href="{host}/here#part">x</a><a href="b.html">x</a><a href="{host}/gone">x</a>'
    )
    (repository / "site" / "b.html").write_text(f'<a href="{host}/gone">x</a>')
    (repository / "facts" / "sources.yaml").write_text(f"url: {host}/moved\n")
    said = run(repository)
    assert said.returncode == 1, said.stdout + said.stderr
    assert f"moved  {host}/moved\n       to {host}/here" in said.stdout
    assert f"DEAD   {host}/gone" in said.stdout
    assert "in b.html, chapters/a.html" in said.stdout
    assert said.stdout.endswith("3 links asked, 1 dead.\n")


def test_living_links_are_counted(repository: Path, host: str) -> None:
    (repository / "README.md").write_text(f"See [here]({host}/here).\n")
    said = run(repository)
    assert (said.returncode, said.stdout) == (0, "1 links asked, 0 dead.\n"), said.stderr


def test_without_a_network_that_is_asked_for(repository: Path) -> None:
    (repository / "README.md").write_text("See <http://127.0.0.1:1/> and more.\n")
    said = run(repository)
    assert said.returncode == 1
    assert "is there a network?" in said.stdout


def test_an_example_in_a_text_is_not_asked(repository: Path) -> None:
    (repository / "README.md").write_text("make site SITE_URL=https://someone.example/x\n")
    (repository / "facts" / "a.yaml").write_text("# https://…\nurl: https://host.example/a.\n")
    assert list(find(repository / "site", repository)) == ["https://host.example/a"]


def test_own_address_and_places_in_a_page_are_not_asked(repository: Path) -> None:
    (repository / "site" / "a.html").write_text(
        '<link rel="canonical" href="https://own.example/a.html"><a href="#part">x</a>'
        '<a href="https://host.example/x#one">x</a><a href="https://host.example/x#two">x</a>'
    )
    assert find(repository / "site", repository) == {"https://host.example/x": ["a.html"]}
