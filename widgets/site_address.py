"""What the site says of itself to those who link to it: search engines, chats, social networks.

All but a page's description needs the address that readers know the site by, which only the one
who publishes it can say: `SITE_URL=https://… make site`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from docutils import nodes

__all__ = ["CARD", "Card", "describe", "public_site", "robots", "sitemap"]

_LONGEST = 200  # what chats and search engines show, more or less


@dataclass(frozen=True)
class Card:
    """The picture that stands beside a link to the site.

    Attributes:
        source: What it is drawn from.
        width: In pixels.
        height: In pixels.
        alt: What it shows, in words.
    """

    source: Path
    width: int
    height: int
    alt: str

    @property
    def file(self) -> Path:
        """The drawn picture, under the hash of its source: a changed one has a new address.

        `tools/draw_card.py` makes it; who builds the site needs no browser.
        """
        digest = hashlib.sha256(self.source.read_bytes()).hexdigest()[:12]
        return self.source.with_name(f"card-{digest}.png")


CARD = Card(
    Path(__file__).parent / "card" / "card.svg",
    width=1200,
    height=630,
    alt="Containers on AWS, a course you can run. A container goes from created to running, "
    "to paused and back, to exited and back.",
)
"""The one of this site, in the size that social networks ask for."""


def public_site(address: str) -> str:
    """Check the address that readers know the site by, and end it with a slash.

    Raises:
        ValueError: It is not one that a reader could open.

    Example:
        >>> public_site("https://someone.github.io/containers")
        'https://someone.github.io/containers/'
        >>> public_site("")
        ''
    """
    if not address:
        return ""
    parts = urlsplit(address)
    public = parts.scheme == "https" and "." in (parts.hostname or "")
    if not public or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(
            f"SITE_URL={address} is not an address that the site can have. "
            "Give it as https://host/ or https://host/path/."
        )
    return address.rstrip("/") + "/"


def describe(tree: nodes.document) -> str:
    """Give a page's first paragraph, cut at a word where it is long.

    A picture's or a box's words come from a place of their own, and do not count.
    """
    for paragraph in tree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section) and not paragraph["classes"]:
            words = paragraph.astext().split()
            break
    else:
        return ""
    text = " ".join(words)
    while len(text) > _LONGEST:
        words.pop()
        text = " ".join(words).rstrip(",;:") + " …"
    return text


def sitemap(address: str, pages: Iterable[str]) -> str:
    """List all pages for search engines.

    Example:
        >>> print(sitemap("https://host/", ["chapters/intro"]).splitlines()[2])
        <url><loc>https://host/chapters/intro.html</loc></url>
    """
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
            *(f"<url><loc>{escape(f'{address}{page}.html')}</loc></url>" for page in pages),
            "</urlset>\n",
        ]
    )


def robots(address: str) -> str:
    """Tell search engines that all may be read, and where the list is.

    They read it where the site has a host of its own, and not below a path.

    Example:
        >>> print(robots("https://host/").splitlines()[-1])
        Sitemap: https://host/sitemap.xml
    """
    return f"User-agent: *\nAllow: /\nSitemap: {address}sitemap.xml\n"
