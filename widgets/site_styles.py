"""One small stylesheet for the site out of the theme's nine large ones.

The theme ships every rule of Bootstrap and of an icon font, 400 KB of them, and a page uses one
in ten. A reader on a phone waits for each byte before the first word shows.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import tinycss2  # type: ignore[import-untyped]  # it has no types
import tinycss2.ast  # type: ignore[import-untyped]

__all__ = ["BUNDLE", "SHEETS", "bundle", "keep_used", "vocabulary"]

BUNDLE = "site-bundle.css"
"""Name of the stylesheet that every page loads, in the site's `_static` folder."""

SHEETS = (
    "basic.css",
    "styles/pydata-sphinx-theme.css",
    "styles/sphinx-book-theme.css",
    "pygments.css",
    "mystnb.*.css",
    "copybutton.css",
    "exercise.css",
    "sphinx-design.min.css",
    "site.css",
)
"""What the bundle is made of, in the order of the cascade; a `*` stands for a digest."""

_WORD = re.compile(r"[A-Za-z_][\w-]*")
_NAMED = re.compile(r"[.#]((?:\\.|[\w-])+)")
# What stands between parentheses or brackets narrows a selector; it need not be on a page.
_NARROWED = re.compile(r"\([^()]*\)|\[[^\]]*\]")


def vocabulary(files: Iterable[Path]) -> frozenset[str]:
    """Collects every word of the pages and scripts: a class or an id can only be among them."""
    return frozenset(word for file in files for word in _WORD.findall(file.read_text("utf-8")))


def keep_used(css: str, words: frozenset[str]) -> str:
    """Leaves out of a stylesheet what names a class or an id that no page has.

    Args:
        css: The stylesheet.
        words: Every word of the pages and scripts. A word too many keeps a rule too many, which
            costs bytes and nothing else.

    Example:
        >>> keep_used("p.note, p.gone {color: red} .gone {color: blue}", frozenset({"note"}))
        'p.note{color: red}'
    """
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    return "".join(_used(rules, words))


def bundle(static: Path, words: frozenset[str]) -> str:
    """Joins what is used of all `SHEETS` into one text.

    Raises:
        ValueError: A sheet is missing, or its pattern fits two files.
    """
    parts = []
    for pattern in SHEETS:
        found = sorted(static.glob(pattern))
        if len(found) != 1:
            raise ValueError(f"{pattern} should be one stylesheet of the site, found: {found}")
        parts.append(keep_used(found[0].read_text("utf-8"), words))
    return "\n".join(parts)


def _used(rules: Iterable[tinycss2.ast.Node], words: frozenset[str]) -> Iterator[str]:
    for rule in rules:
        if rule.type == "qualified-rule":
            prelude = ",".join(
                selector
                for selector in _selectors(rule.prelude)
                if all(name.replace("\\", "") in words for name in _names(selector))
            )
            if prelude:
                yield f"{prelude}{{{tinycss2.serialize(rule.content).strip()}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword in {"media", "supports"}:
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            body = "".join(_used(inner, words))
            if body:
                condition = tinycss2.serialize(rule.prelude).strip()
                yield f"@{rule.lower_at_keyword} {condition}{{{body}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword != "font-face":
            # The only fonts among the sheets are the icons'; the site draws its own (site.css).
            if rule.lower_at_keyword != "charset":
                yield rule.serialize()
        elif rule.type == "error":
            raise ValueError(f"the stylesheet does not parse: {rule.message}")


def _selectors(prelude: list[tinycss2.ast.Node]) -> Iterator[str]:
    selector: list[tinycss2.ast.Node] = []
    for token in prelude:
        if token.type == "literal" and token.value == ",":
            yield tinycss2.serialize(selector).strip()
            selector = []
        else:
            selector.append(token)
    yield tinycss2.serialize(selector).strip()


def _names(selector: str) -> list[str]:
    plain, before = selector, ""
    while plain != before:
        plain, before = _NARROWED.sub("", plain), plain
    return _NAMED.findall(plain)
