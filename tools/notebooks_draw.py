"""Draws the first paint of each chart; needs Chromium."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import kaleido

from widgets import chart

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["draw"]

CHROMIUM = "/usr/bin/chromium"


def draw(charts: Iterable[chart.Chart], into: Path) -> dict[str, str]:
    """Draw what has changed and remove what no chart has any more.

    Args:
        charts: All charts of the course.
        into: The folder of the pictures.

    Returns:
        What was done with each file: "drawn", "as it was" or "removed".
    """
    done = {}
    for each in charts:
        target = into / each.drawing.name
        if target.exists():
            done[target.name] = "as it was"
            continue
        into.mkdir(exist_ok=True)
        target.write_text(render(each), "utf-8")
        done[target.name] = "drawn"
    for old in sorted(into.glob("*.svg")):
        if old.name not in done:
            old.unlink()
            done[old.name] = "removed"
    return done


def render(each: chart.Chart) -> str:
    """Draw one chart in normal form."""
    os.environ.setdefault("BROWSER_PATH", os.environ.get("CHROMIUM", CHROMIUM))
    # Without MathJax, which Kaleido would fetch from another host.
    drawn = kaleido.calc_fig_sync(each.figure, opts={"format": "svg"}, kopts={"mathjax": False})
    return chart.normalise(drawn.decode("utf-8"))
