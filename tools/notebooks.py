"""The one program that writes notebooks: runs, checks, copies and measures them, draws charts."""

from __future__ import annotations

import datetime as dt  # noqa: TC003  # typer reads the annotations
import time
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from notebooks_check import check_all
from notebooks_form import ROOT, find_notebooks
from notebooks_measure import NotMeasuredError, update_chapters, update_measured
from notebooks_run import CellFailedError, run_notebook
from notebooks_student import give_copies
from rich.console import Console

from lab import LabError
from widgets import CHARTS
from widgets.chart import DRAWN

INTERRUPTED = 130

app = typer.Typer(
    help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
# Paths and messages must come through whole, so that they can be searched and clicked.
console = Console(soft_wrap=True, highlight=False)

Only = Annotated[str | None, typer.Option(help="A chapter's digits or stem, such as 05.")]
Root = Annotated[Path, typer.Option(hidden=True)]


@app.command()
def run(
    only: Only = None,
    root: Root = ROOT,
    *,
    renew: Annotated[
        bool, typer.Option("--renew", help="Store also what differs from run to run.")
    ] = False,
) -> None:
    """Run notebooks in fresh kernels and store what they show, in normal form."""
    for path in _chosen(root, only):
        name = path.relative_to(root)
        start = time.monotonic()
        with console.status(f"{name} runs"):
            try:
                changed = run_notebook(path, root / "nbval.cfg", renew=renew)
            except (CellFailedError, LabError) as error:
                _fail(str(error))
            except KeyboardInterrupt:
                console.print(f"Stopped. {name} is as it was.", markup=False)
                raise typer.Exit(INTERRUPTED) from None
        verdict = "changed" if changed else "as it was"
        console.print(f"{name}: {verdict} ({time.monotonic() - start:.0f} s)", markup=False)


@app.command()
def check(only: Only = None, root: Root = ROOT) -> None:
    """Check every rule that a program can check; needs no engine."""
    report = check_all(root, only)
    for finding in report.findings:
        console.print(str(finding), markup=False)
    console.print(
        f"notebooks: {report.notebooks}, code cells: {report.cells}, "
        f"of them longer than 10 lines: {report.long}, not compared: {report.ignored}; "
        f"findings: {len(report.findings)}"
    )
    raise typer.Exit(bool(report.findings))


@app.command()
def student(
    into: Annotated[Path, typer.Option(help="The learner's folder.")] = ROOT / "learn",
    *,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Write new editions beside changed copies.")
    ] = False,
    root: Root = ROOT,
) -> None:
    """Make the learner's copies: exercises without solutions, chapters with their outputs."""
    given = give_copies(root, into, fresh=fresh)
    console.print(f"{into}: {len(given.made)} copies made, {len(given.renewed)} renewed")
    for name in given.kept:
        console.print(f"{into / name}: kept as you have changed it", markup=False)
    for name in given.beside:
        console.print(f"{into / name}: the new edition, beside yours", markup=False)
    if given.kept and not fresh:
        console.print(
            "To get the new edition beside yours, type "
            f"`.venv/bin/python tools/notebooks.py student --into {into} --fresh`"
        )


@app.command()
def measure(
    only: Only = None,
    date: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day to note; the test run's if left out."),
    ] = None,
    root: Root = ROOT,
) -> None:
    """Take what the last test runs with WORKERS=0 measured into facts/ and each chapter's table."""
    try:
        renewed = update_measured(root, date.date() if date else None, only)
        changed = update_chapters(root, only)
    except NotMeasuredError as error:
        _fail(str(error))
    console.print(f"facts/measured.yaml: {', '.join(renewed)}")
    console.print(f"Tables that changed: {', '.join(changed) or 'none'}")


@app.command()
def draw(into: Annotated[Path, typer.Option(hidden=True)] = DRAWN) -> None:
    """Draw the first paint of each chart that has changed; needs Chromium."""
    # Here because importing Plotly takes as long as all other commands together.
    from notebooks_draw import draw as draw_charts  # noqa: PLC0415

    for name, done in draw_charts((make() for make in CHARTS), into).items():
        console.print(f"{name}: {done}", markup=False)


def _chosen(root: Path, only: str | None) -> list[Path]:
    paths = find_notebooks(root, only)
    if not paths:
        _fail(f"There is no notebook for {only!r}." if only else "There are no notebooks.")
    return paths


def _fail(message: str) -> NoReturn:
    console.print(message, style="red", markup=False)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
