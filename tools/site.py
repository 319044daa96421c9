"""Builds the static site: what `make site` calls. It needs no engine and runs no notebook."""

import datetime as dt
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from facts import FactsError
from facts.state import build_day
from widgets.site import public_repository
from widgets.site_address import public_site

ROOT = Path(__file__).resolve().parent.parent


def main(
    repository: Annotated[
        str, typer.Option(envvar="REPOSITORY", help="address for the buttons; else the origin")
    ] = "",
    site_url: Annotated[
        str, typer.Option(envvar="SITE_URL", help="address that readers will know the site by")
    ] = "",
    into: Annotated[Path, typer.Option(help="folder that gets _build/html")] = ROOT,
) -> None:
    """Builds the pages with warnings as errors, then adds the notebooks to download."""
    try:
        # Sphinx reads it too, and a wrong one ends it with a traceback.
        build_day(os.environ, dt.datetime.now(dt.UTC))
    except FactsError as error:
        print(error)
        raise typer.Exit(1) from None
    address = public_repository(repository or _origin())
    if not address:
        print(
            "No Binder button: the repository's public address is not known.\n"
            "Next: git remote add origin https://…, or make site REPOSITORY=https://…"
        )
    try:
        known_as = public_site(site_url)
    except ValueError as error:
        print(error)
        raise typer.Exit(1) from None
    if not known_as:
        print(
            "No sitemap, canonical addresses or cards for links: the site's address is not known,\n"
            "and its page for wrong addresses fits the top of a host only.\n"
            "Next, where you publish it: make site SITE_URL=https://…"
        )
    book = Path(sys.executable).with_name("jupyter-book")
    strict = ["-W", "-n", "--keep-going", "--all", "--quiet"]
    site = into / "_build" / "html"
    # Sphinx leaves behind pages that are no longer in the table of contents.
    shutil.rmtree(site, ignore_errors=True)
    built = subprocess.run(
        [book, "build", ROOT, "--path-output", into, *strict],
        env={**os.environ, "REPOSITORY": address, "SITE_URL": known_as},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if built.returncode:
        print(built.stdout, "The site has faults: see the warnings above.", sep="\n")
        raise typer.Exit(1)
    _add_notebooks(site)
    print(
        f"{site / 'index.html'}\n"
        "Open it in a browser to read and to search. For the widgets, which a browser starts only\n"
        f"from a server: python3 -m http.server --bind 127.0.0.1 --directory {site}"
    )


def _add_notebooks(site: Path) -> None:
    """Offers what `make lab` gives: exercises without their solutions."""
    with tempfile.TemporaryDirectory() as copies:
        subprocess.run(
            [sys.executable, ROOT / "tools" / "notebooks.py", "student", "--into", copies],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        for pattern in ("*/*.ipynb", "*/*.svg"):
            for copy in Path(copies).glob(pattern):
                offered = site / "notebooks" / copy.relative_to(copies)
                offered.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(copy, offered)


def _origin() -> str:
    asked = subprocess.run(
        ["git", "-C", ROOT, "remote", "get-url", "origin"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip()


if __name__ == "__main__":
    typer.run(main)
