"""Asks every link that leads out of the course whether it still leads somewhere: `make links`.

Sphinx's own link checker does the asking, with its patience for hosts that want it slower. It
would see the book's sources only; so it gets one page with the links that readers meet, those in
tables and widgets included, and with the sources of all facts.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ask", "find"]

ROOT = Path(__file__).resolve().parent.parent
_TEXTS = {
    # An address that Markdown does not make a link is an example.
    "*.md": re.compile(r"(?<=\]\()https?://[^\s()]+|(?<=<)https?://[^\s<>]+(?=>)"),
    "facts/*.yaml": re.compile(r"https?://[\w.-]+[^\s\"'`<>()\[\]]+"),
}
_FOR_GOOD = {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT}
_SETTINGS = {
    "extensions": ["myst_parser"],
    "linkcheck_allow_unauthorized": False,  # a reader has no account there either
    "linkcheck_anchors": False,  # many hosts make theirs with a script
    "linkcheck_report_timeouts_as_broken": False,  # they are reported as what they are
    "linkcheck_retries": 3,
    "linkcheck_timeout": 30,
}


class _Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get("href") or ""
        # What a page says of its own address is not there before it is published.
        if tag == "a" and address.startswith("http"):
            self.found.add(address.partition("#")[0])


def find(site: Path, root: Path) -> dict[str, list[str]]:
    """Collect the links that lead out, each with the files that have it.

    Args:
        site: The built site.
        root: The repository, for its texts and its facts.
    """
    where: defaultdict[str, list[str]] = defaultdict(list)
    for page in sorted(site.rglob("*.html")):
        for address in _Links(page.read_text("utf-8")).found:
            where[address].append(page.relative_to(site).as_posix())
    for pattern, addresses in _TEXTS.items():
        for file in sorted(root.glob(pattern)):
            for address in sorted(set(addresses.findall(file.read_text("utf-8")))):
                where[address.partition("#")[0].rstrip(".,;:")].append(
                    file.relative_to(root).as_posix()
                )
    return dict(sorted(where.items()))


def ask(addresses: Iterable[str]) -> list[dict[str, Any]]:
    """Ask each address once.

    Returns:
        Sphinx's notes, one for each: `uri`, `status` (`working`, `redirected`, `broken` or
        `timeout`), `code` and `info`.

    Raises:
        RuntimeError: The checker itself has failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        book, said = Path(folder) / "book", Path(folder) / "said"
        book.mkdir()
        settings = "\n".join(f"{name} = {value!r}" for name, value in _SETTINGS.items())
        (book / "conf.py").write_text(settings, "utf-8")
        page = "\n".join(["# Links", "", *(f"- <{address}>" for address in addresses)])
        (book / "index.md").write_text(page, "utf-8")
        command = [sys.executable, "-m", "sphinx", "-b", "linkcheck", "-q", str(book), str(said)]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        notes = said / "output.json"
        if not notes.exists():
            raise RuntimeError(f"the link checker failed:\n{asked.stdout}{asked.stderr}")
        return [json.loads(line) for line in notes.read_text("utf-8").splitlines()]


def main(
    site: Annotated[Path, typer.Argument(help="the built site")] = ROOT / "_build" / "html",
    root: Annotated[Path, typer.Option(help="the repository")] = ROOT,
) -> None:
    """Asks all links, names those that are dead and those that have moved for good."""
    where = find(site, root)
    notes = ask(where)
    for note in notes:
        if note["status"] == "redirected" and note["code"] in _FOR_GOOD:
            print(f"moved  {note['uri']}\n       to {note['info']}")
    dead = [note for note in notes if note["status"] in {"broken", "timeout"}]
    for note in dead:
        pages = ", ".join(where.get(note["uri"], ["a page that writes it otherwise"]))
        print(f"DEAD   {note['uri']}\n       {note['info']}\n       in {pages}")
    print(f"{len(notes)} links asked, {len(dead)} dead.")
    if dead and len(dead) == len(notes):
        print("Not one answered: is there a network?")
    if dead or len(notes) != len(where):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
