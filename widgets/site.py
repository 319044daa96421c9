"""The course's Sphinx extension: light pages that ask nobody but their own host.

It gives each page only the scripts that it uses, joins the stylesheets, brings the widgets to
life, folds without a script, offers the notebook, and keeps old addresses. `_config.yml` names it.
"""

import os
import re
import shutil
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

from docutils import nodes
from plotly.offline import get_plotlyjs
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator

from widgets import site_address, site_published, site_styles
from widgets.base import PANEL, fill_tables
from widgets.drawings import InlineDrawings
from widgets.site_mode import ShowMode

__all__ = ["NOT_FOUND", "PLOTLY", "binder_url", "public_repository", "setup"]

_HERE = Path(__file__).parent
_STATIC = _HERE / "static"
_WIDGET = re.compile(r'data-anywidget="(\w+)"')
PLOTLY = "plotly.min.js"
"""Name of Plotly's script in the site's `_static` folder; `static/chart.js` loads it."""

NOT_FOUND = "404"
"""Name of the page that a host shows for an address that leads nowhere."""

_LOG = logging.getLogger(__name__)

# What the theme copies into each site and no page of ours asks for.
_UNUSED = (
    "_static/vendor",
    "_static/locales",
    "_static/images",
    "_static/scripts/fontawesome.js*",
    "_static/scripts/bootstrap.js*",
    "_static/**/*.map",
    "_static/**/*.scss",
    "_static/webpack-macros.html",
    "_static/sbt-webpack-macros.html",
)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Registers the extension with Sphinx."""
    app.add_config_value("course_repository", "", "html", types=[str])
    app.add_node(folded, html=(_visit_folded, _depart_folded))
    app.add_node(folded_title, html=(_visit_folded_title, _depart_folded_title))
    app.add_post_transform(FoldDropdowns)
    app.add_post_transform(ShowMode)
    app.add_transform(InlineDrawings)
    app.connect("config-inited", _use_own_files)
    app.connect("env-check-consistency", _keep_addresses)
    app.connect("html-page-context", _fit_page, priority=900)  # the theme has had its say
    app.connect("build-finished", _finish, priority=900)  # after the theme has written its colours
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def public_repository(address: str) -> str:
    """Turns a git remote into the https address that a reader can open, or "" if it is none.

    Example:
        >>> public_repository("git@github.com:someone/containers.git")
        'https://github.com/someone/containers'
        >>> public_repository("/srv/git/containers")
        ''
    """
    ssh = re.fullmatch(r"(?:ssh://)?git@([\w.-]+)[:/](.+)", address)
    parts = urlsplit(f"https://{ssh[1]}/{ssh[2]}" if ssh else address)
    path = parts.path.removesuffix("/").removesuffix(".git")
    public = parts.scheme == "https" and parts.hostname and "." in parts.hostname
    # A user name or a token in the address stays out of the page.
    return f"https://{parts.hostname}{path}" if public and path.count("/") > 1 else ""


def binder_url(repository: str, path: str) -> str:
    """Says where mybinder.org opens a file of a repository in JupyterLab.

    Args:
        repository: Public https address.
        path: The file, relative to the repository's root.

    Example:
        >>> binder_url("https://github.com/someone/containers", "chapters/05-life-cycle.ipynb")
        'https://mybinder.org/v2/gh/someone/containers/HEAD?urlpath=lab/tree/chapters/05-life-cycle.ipynb'
    """
    host, name = urlsplit(repository).hostname, urlsplit(repository).path.strip("/")
    source = {
        "github.com": f"gh/{name}",
        "gitlab.com": f"gl/{quote(name, safe='')}",
    }.get(host or "", f"git/{quote(repository, safe='')}")
    return f"https://mybinder.org/v2/{source}/HEAD?urlpath=lab/tree/{quote(path)}"


class folded(nodes.Element, nodes.General):  # noqa: N801 - docutils names nodes so
    """Content that the reader unfolds: a `<details>`, which needs no script."""


class folded_title(nodes.TextElement, nodes.General):  # noqa: N801
    """The line that stays in sight."""


class FoldDropdowns(SphinxPostTransform):
    """Turns admonitions and solutions of class `dropdown` into `<details>`."""

    default_priority = 400  # after sphinx-exercise has set the titles
    formats = ("html",)

    def run(self, **_: object) -> None:
        """Replaces each of them."""
        for node in list(self.document.findall(lambda node: isinstance(node, nodes.Admonition))):
            box = cast("nodes.Element", node)
            if "dropdown" not in box["classes"]:
                continue
            title, *rest = box.children
            classes = [name for name in box["classes"] if name != "dropdown"]
            fold = folded(classes=["admonition", "folded", *classes], ids=box["ids"])
            fold += folded_title("", "", *cast("nodes.Element", title).children)
            fold += rest
            box.replace_self(fold)


def _visit_folded(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append(self.starttag(node, "details"))


def _depart_folded(self: HTML5Translator, _: nodes.Element) -> None:
    self.body.append("</details>\n")


def _visit_folded_title(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append(self.starttag(node, "summary", suffix="", CLASS="admonition-title"))


def _depart_folded_title(self: HTML5Translator, _: nodes.Element) -> None:
    self.body.append("</summary>\n")


def _use_own_files(_: Sphinx, config: Config) -> None:
    config.templates_path.insert(0, str(_HERE / "templates" / "page"))
    config.html_static_path.append(str(_STATIC))
    config.html_additional_pages[NOT_FOUND] = "not_found.html"
    config.course_repository = public_repository(os.environ.get("REPOSITORY", ""))
    config.html_baseurl = site_address.public_site(os.environ.get("SITE_URL", ""))


def _keep_addresses(_: Sphinx, env: BuildEnvironment) -> None:
    for complaint in site_published.complaints(site_published.load_published(), env.found_docs):
        _LOG.warning(complaint)


def _fit_page(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    found = {match for node in _raw(tree) for match in _WIDGET.findall(node)}
    if found:
        context["body"] = fill_tables(context["body"])
    _set_styles(app, context, found)
    _set_scripts(app, page, context, tree, has_widget=bool(found))
    source = app.env.doc2path(page, base=False) if tree else ""
    is_notebook = source.endswith(".ipynb")
    repository = app.config.course_repository
    context["is_exercise"] = page.startswith("exercises/")
    context["notebook_url"] = f"notebooks/{source}" if is_notebook else ""
    context["binder_url"] = (
        binder_url(repository, source)
        if repository and is_notebook and page.startswith("chapters/")
        else ""
    )
    context["repository_url"] = repository
    _set_address(app, page, context, site_address.describe(tree) if tree else "")


def _set_address(app: Sphinx, page: str, context: dict[str, Any], description: str) -> None:
    address = app.config.html_baseurl
    context["page_description"] = description or context["docstitle"]
    # A search and a page that is not there are of no use to one who comes from elsewhere.
    context["is_listed"] = is_listed = page in app.env.found_docs
    context["pageurl"] = f"{address}{page}.html" if address and is_listed else None
    card = site_address.CARD
    context["card"] = card
    context["card_url"] = f"{address}_static/{card.file.name}" if address else ""
    # A host shows this page at any depth, where no relative address of it would hold.
    context["base_path"] = (urlsplit(address).path or "/") if page == NOT_FOUND else ""


def _raw(tree: nodes.document | None) -> list[str]:
    return [node.astext() for node in tree.findall(nodes.raw)] if tree else []


def _set_styles(app: Sphinx, context: dict[str, Any], found: set[str]) -> None:
    for sheet in context["css_files"]:
        path = Path(str(sheet.filename).partition("?")[0])
        if not any(path.match(pattern) for pattern in site_styles.SHEETS):
            _LOG.warning("%s is not among the bundle's stylesheets (widgets/site_styles.py)", path)
    context["css_files"].clear()
    app.add_css_file(site_styles.BUNDLE)
    for name in (PANEL, *sorted(found)) if found else ():
        if (_STATIC / f"{name}.css").exists():
            app.add_css_file(f"{name}.css", priority=900)


def _set_scripts(
    app: Sphinx,
    page: str,
    context: dict[str, Any],
    tree: nodes.document | None,
    *,
    has_widget: bool,
) -> None:
    files = ["documentation_options.js", "doctools.js", "sphinx_highlight.js"]
    if tree and next(tree.findall(nodes.literal_block), None):
        files += ["clipboard.min.js", "copybutton.js"]
    if tree and any("sd-tab-set" in box["classes"] for box in tree.findall(nodes.container)):
        files.append("design-tabs.js")
    files += ["reachable.js", "scripts/sphinx-book-theme.js", "scripts/pydata-sphinx-theme.js"]
    context["script_files"].clear()
    for file in files:
        # The search page's own scripts, written into its template, need these at once.
        app.add_js_file(file, loading_method=None if page == "search" else "defer")
    if has_widget:
        app.add_js_file("host.js", type="module")


def _finish(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.name != "html":
        return
    site = Path(app.outdir)
    for pattern in _UNUSED:
        for path in sorted(site.glob(pattern), reverse=True):
            _remove(path)
    static = site / "_static"
    pages = [*site.rglob("*.html"), *static.rglob("*.js")]
    css = site_styles.bundle(static, site_styles.vocabulary(pages))
    (static / site_styles.BUNDLE).write_text(css, "utf-8")
    # After the bundle, which would keep a rule for each of Plotly's 100,000 words.
    if any('data-anywidget="chart"' in page.read_text("utf-8") for page in site.rglob("*.html")):
        (static / PLOTLY).write_text(get_plotlyjs(), "utf-8")
    _write_redirects(app, site)
    address = app.config.html_baseurl
    if address:
        shutil.copy(site_address.CARD.file, static)
        listed = sorted(app.env.found_docs)
        (site / "sitemap.xml").write_text(site_address.sitemap(address, listed), "utf-8")
        (site / "robots.txt").write_text(site_address.robots(address), "utf-8")


def _write_redirects(app: Sphinx, site: Path) -> None:
    for name, target in site_published.redirects(site_published.load_published()).items():
        context: dict[str, Any] = {
            "docstitle": app.config.html_title,
            "title": app.env.titles[target].astext(),
            "to": site_published.relative(name, target),
        }
        _set_address(app, target, context, site_address.describe(app.env.get_doctree(target)))
        page = site / f"{name}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(app.builder.templates.render("redirect.html", context), "utf-8")


def _remove(path: Path) -> None:
    if path.is_dir():
        for child in path.iterdir():
            _remove(child)
        path.rmdir()
    else:
        path.unlink()
