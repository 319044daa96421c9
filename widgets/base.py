"""What every widget of the course shares: one markup for the page, JupyterLab and plain text."""

import json
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import ClassVar

import anywidget
import jinja2
import traitlets
from markupsafe import Markup, escape

__all__ = ["PANEL", "STATIC", "CourseWidget", "fill_tables", "page_form", "render"]

STATIC = Path(__file__).parent / "static"
PANEL = "panel"
"""The stylesheet that all widgets share; it comes before a widget's own."""

# JupyterLab shows this line where no kernel has run the cell, without our stylesheet; the page,
# which has the stylesheet, does not show it.
_ASLEEP = '<p class="asleep">In JupyterLab, run this cell: the picture comes alive then.</p>\n'


_TABLE = re.compile(r'"table of (\w+)"')
_TABLES: dict[str, Callable[[], Mapping[str, object]]] = {}


class CourseWidget(anywidget.AnyWidget):
    """Base of a widget that is the same on the static page, in JupyterLab and without a script.

    A widget in `widgets/<stem>.py` finds its ES module and stylesheet as
    `widgets/static/<stem>.js` and `<stem>.css`, after the shared `panel.css`, and its markup in
    `widgets/templates/<stem>.html.j2`. A trait tagged `option=True` may be given as a keyword;
    a trait tagged `page=True` is handed to the ES module on the static page.

    A large `table` that is the same in each output need not be stored in each: a widget that names
    its maker in `late_table` stores a mark instead, and `fill_tables` puts the table there when the
    site is built.

    Raises:
        TypeError: An unknown keyword was given; the message names the nearest known one.
    """

    late_table: ClassVar[Callable[[], Mapping[str, object]] | None] = None
    markup = traitlets.Unicode(help="the first paint, made once in Python").tag(sync=True)

    def __init_subclass__(cls, **kwargs: dict[str, object]) -> None:
        # Making an instance derives a class whose _esm is a trait already: that one stays.
        if "_esm" not in cls.__dict__:
            cls._esm = STATIC / f"{cls.stem()}.js"
            sheets = (STATIC / f"{name}.css" for name in (PANEL, cls.stem()))
            cls._css = "\n".join(sheet.read_text("utf-8") for sheet in sheets)
            if cls.late_table is not None:
                _TABLES[cls.stem()] = cls.late_table
        super().__init_subclass__(**kwargs)

    def __init__(self, **options: object) -> None:
        known = sorted(self.class_traits(option=True))
        for name in options.keys() - known:
            near = get_close_matches(name, known, n=1)
            takes = f"It takes: {', '.join(known)}." if known else "It takes none."
            hint = f"Did you mean {near[0]!r}?" if near else takes
            raise TypeError(f"{type(self).__name__} has no option {name!r}. {hint}")
        super().__init__(**options)
        self.markup = self._render()

    @classmethod
    def stem(cls) -> str:
        """Names the widget's files: the name of the module that defines it."""
        return cls.__module__.rpartition(".")[2]

    def _context(self) -> dict[str, object]:
        """Gives the template what it shows."""
        raise NotImplementedError

    def _text(self) -> str:
        """Says in plain text what the widget shows: short, and the same on every run."""
        raise NotImplementedError

    def _render(self) -> str:
        return render(self.stem(), self._context())

    def __repr__(self) -> str:
        return self._text()

    def _repr_mimebundle_(
        self, **kwargs: dict[str, object]
    ) -> tuple[dict[str, object], dict[str, object]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        # The page shows the widget as it is now, whatever was set since it was made.
        self.markup = self._render()
        state = {name: getattr(self, name) for name in self.trait_names(page=True)}
        if self.stem() in _TABLES:
            state["table"] = f"table of {self.stem()}"
        html = page_form(self.stem(), _ASLEEP + self.markup, state)
        return {**data, "text/plain": repr(self), "text/html": html}, metadata


def page_form(stem: str, markup: str, state: Mapping[str, object]) -> str:
    """Wrap the first paint so that the page's host finds it, and its ES module's state.

    Args:
        stem: The ES module and the stylesheet are `static/<stem>.js` and `static/<stem>.css`.
        markup: The first paint.
        state: What the ES module gets on the static page.
    """
    return (
        f'<div class="course-widget" data-anywidget="{stem}">\n{markup}\n'
        f'<script type="application/json">{_block(state)}</script>\n</div>'
    )


def fill_tables(html: str) -> str:
    """Put each table at its mark, for the page: see `CourseWidget`.

    Example:
        >>> fill_tables('{"table":"table of nothing"}')
        '{"table":"table of nothing"}'
    """

    def table(mark: re.Match[str]) -> str:
        return _block(_TABLES[mark[1]]()) if mark[1] in _TABLES else mark[0]

    return _TABLE.sub(table, html)


def _block(state: Mapping[str, object]) -> str:
    # "<" would let a text in the state end the script element.
    return json.dumps(state, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def render(stem: str, context: Mapping[str, object]) -> str:
    """Fill the template of a stem, `templates/<stem>.html.j2`."""
    return _templates().get_template(f"{stem}.html.j2").render(context)


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("widgets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    return environment


def _code(text: str) -> Markup:
    """Turns `words between backticks` into code, *those between stars* into emphasis."""
    code = Markup("<code>{}</code>")
    parts = enumerate(text.split("`"))
    return Markup().join(code.format(part) if i % 2 else _stressed(part) for i, part in parts)


_STARS = re.compile(r"\*(\S(?:[^*]*\S)?)\*")


def _stressed(text: str) -> Markup:
    stress = Markup("<em>{}</em>")
    parts = enumerate(_STARS.split(text))
    return Markup().join(stress.format(part) if i % 2 else escape(part) for i, part in parts)
