"""The drawings of the chapters: SVG files that follow the reader's light or dark mode.

A chapter shows one as a Markdown image. JupyterLab takes the file as it is; on the page the
drawing stands in the page itself, so that the page's colours reach it.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

from docutils import nodes
from sphinx.transforms import SphinxTransform

__all__ = ["InlineDrawings", "faults", "inline"]

_STYLE = Path(__file__).parent / "static" / "drawing.css"
_SVG = "{http://www.w3.org/2000/svg}"
_WIDEST = 400
_CLASSES = re.compile(r"\.drawing \.(\w+)")


def faults(drawing: str) -> Iterator[str]:
    """Tells what keeps a drawing from being like the others.

    Args:
        drawing: The text of an SVG file.

    Yields:
        One phrase for each fault.

    Example:
        >>> list(faults("<svg"))
        ['is no XML: unclosed token: line 1, column 0']
    """
    try:
        root = ET.fromstring(drawing)  # noqa: S314  # the course's own files
    except ET.ParseError as error:
        yield f"is no XML: {error}"
        return
    width = float((root.get("viewBox") or "0 0 0 0").split()[2])
    if not 0 < width <= _WIDEST:
        yield f"has a viewBox of width {width:g}: at most {_WIDEST}, or a phone can't show its text"
    if root.get("class") != "drawing":
        yield 'its <svg> has not class="drawing"'
    styles = [style.text or "" for style in root.iter(f"{_SVG}style")]
    if [style.strip() for style in styles] != [_style()]:
        yield "its one <style> is not what widgets/static/drawing.css holds"
    known = {"drawing", *_CLASSES.findall(_style())}
    for element in root.iter():
        if element.get("id"):
            yield f"has the id {element.get('id')!r}: two drawings may stand on one page"
        if element.get("style") or element.get("fill") or element.get("stroke"):
            yield f"a {element.tag.removeprefix(_SVG)} has a colour of its own: use a class"
        unknown = set((element.get("class") or "").split()) - known
        if unknown:
            yield f"has the unknown class {', '.join(sorted(unknown))}"


def inline(drawing: str, words: str) -> str:
    """Makes a drawing a part of a page, with its description for who can't see it.

    Args:
        drawing: The text of an SVG file.
        words: The description: the alternative text of the Markdown image.
    """
    root = ET.fromstring(drawing)  # noqa: S314  # the course's own files
    ET.register_namespace("", _SVG.strip("{}"))
    root.set("role", "img")
    root.set("aria-label", words)
    return ET.tostring(root, encoding="unicode")


class InlineDrawings(SphinxTransform):
    """Puts the chapters' drawings into their pages."""

    default_priority = 400

    def apply(self, **_: object) -> None:
        """Replaces each image that is an SVG file of ours."""
        for image in list(self.document.findall(nodes.image)):
            if not image["uri"].endswith(".svg"):
                continue
            name, path = self.env.relfn2path(image["uri"], self.env.docname)
            self.env.note_dependency(name)
            if not Path(path).is_file():
                continue  # Sphinx itself warns of a missing image
            markup = inline(Path(path).read_text("utf-8"), image.get("alt", ""))
            image.replace_self(nodes.raw("", markup, format="html"))


@cache
def _style() -> str:
    return _STYLE.read_text("utf-8").strip()
