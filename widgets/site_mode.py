"""Says below a chapter's title how it is run; figures stand in its table "Before you start"."""

from collections.abc import Iterator

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

from facts import Measured, load_measured

__all__ = ["ShowMode", "mode"]

_TABLE = "before-you-start"


def mode(measured: Measured) -> str:
    """Name how a notebook is run, by what the tests saw it start.

    Example:
        >>> mode(load_measured()["05-life-cycle"])
        'Runs on your Docker'
    """
    return (
        "Runs on your Docker" if measured.containers else "Runs without Docker: it starts nothing"
    )


class ShowMode(SphinxPostTransform):
    """Puts the mode below the title of each notebook's page.

    A chapter's minutes, and what it starts, stand in its own table, which the mode links to. An
    exercise page has no such table, and says its minutes here.
    """

    default_priority = 500
    formats = ("html",)

    def run(self, **_: object) -> None:
        """Adds the line."""
        room, stem = self.env.docname.partition("/")[::2]
        measured = load_measured().get(stem)
        title = next(self.document.findall(nodes.title), None)
        if measured and title and room in {"chapters", "exercises"}:
            line = nodes.paragraph("", "", *_line(room, measured), classes=["site-mode"])
            title.parent.insert(title.parent.index(title) + 1, line)


def _line(room: str, measured: Measured) -> Iterator[nodes.Node]:
    if room == "chapters":
        yield nodes.reference("", mode(measured), refuri=f"#{_TABLE}", internal=True)
    else:
        yield nodes.inline("", mode(measured))
        yield nodes.Text(f" about {measured.exercise_minutes} minutes (estimate)")
