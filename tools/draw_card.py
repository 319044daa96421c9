"""Draws the picture that stands beside a link to the site, from `widgets/card/card.svg`.

Chromium draws it, once, and the picture is kept: the fonts of another machine would change it,
and `make site` needs no browser.
"""

import os

from playwright.sync_api import sync_playwright

from widgets.site_address import CARD

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


def main() -> None:
    """Draws it under the drawing's hash, and removes what an earlier drawing has left."""
    for old in CARD.source.parent.glob("*.png"):
        old.unlink()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": CARD.width, "height": CARD.height})
        tab.set_content(f"<style>body {{ margin: 0 }}</style>{CARD.source.read_text('utf-8')}")
        tab.screenshot(path=CARD.file)
        browser.close()
    print(f"{CARD.file}: {CARD.file.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
