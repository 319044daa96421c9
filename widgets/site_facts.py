"""Puts the tables of `facts/` into the site's pages.

A page asks for one with the directive `facts` and the name of a table, here some claims:

    ```{facts} claims T04 T05 T06
    ```

`widgets/fact_tables.py` lists the others. They are drawn once all pages are read, because they link
to chapters by their titles.
"""

import datetime as dt
import os
from functools import partial

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from facts.records import FactsError
from facts.state import build_day
from widgets.fact_tables import Book, check_table, make_table

__all__ = ["FactTable", "setup"]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Registers the directive with Sphinx."""
    app.add_config_value("course_today", "", "html", types=[str])
    app.add_node(fact_table)
    app.add_directive("facts", FactTable)
    app.add_post_transform(DrawFactTables)
    app.connect("config-inited", _set_today)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class fact_table(nodes.General, nodes.Element):  # noqa: N801 - docutils names nodes so
    """The place of a table."""


class FactTable(SphinxDirective):
    """The directive: the name of a table, and which rows of it."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Puts a place for the table into the page.

        Raises:
            docutils.parsers.rst.DirectiveError: There is no such table or row.
        """
        name, *rows = self.arguments[0].split()
        try:
            check_table(name, rows)
        except FactsError as error:
            raise self.error(str(error)) from error
        return [fact_table(table=name, rows=rows)]


class DrawFactTables(SphinxPostTransform):
    """Draws the tables once every page is read."""

    default_priority = 400
    formats = ("html",)

    def run(self, **_: object) -> None:
        """Replaces each place by its table."""
        places = list(self.document.findall(fact_table))
        if not places:
            return
        # Links seen from this page; pages are named by their stems, as in facts/.
        pages = {
            name.removeprefix("chapters/"): name
            for name in self.env.found_docs
            if name.startswith("chapters/")
        }
        address = partial(self.app.builder.get_relative_uri, self.env.docname)
        book = Book(
            today=dt.date.fromisoformat(self.config.course_today),
            titles={stem: self.env.titles[name].astext() for stem, name in pages.items()},
            # From a page to itself the address is empty, which would mean that there is none.
            addresses={stem: address(name) or "#" for stem, name in pages.items()},
        )
        for place in places:
            markup = make_table(place["table"], place["rows"], book)
            place.replace_self(nodes.raw("", markup, format="html"))


def _set_today(_: Sphinx, config: Config) -> None:
    today = build_day(os.environ, dt.datetime.now(dt.UTC))
    config.course_today = config.course_today or str(today)
