"""The README's pictures, from a report: `python docs/screenshots.py reports/alignment`.

Takes `report.html` and `report.json` of the folder and writes docs/images/: the top of the page,
wide and narrow, and the summary of the terminal, each in light and dark. Needs Chromium, Playwright
and Pillow, and no network. Sizes are fixed: the same report gives the same pictures.
"""

from __future__ import annotations

import argparse
import html
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser

IMAGES = Path(__file__).parent / "images"
LARGEST = 300_000
"""Bytes of one picture: a README has to open quickly."""
COLUMNS = 120
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"]
_TERMINAL = """<!doctype html><meta charset="utf-8"><style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; background: light-dark(#fff, #0d1117); color: light-dark(#1f2328, #e6edf3); }}
pre {{ margin: 0; padding: 20px; width: max-content; font: 14px/1.4 monospace; }}
</style><pre>{text}</pre>"""


def main() -> int:
    """Write all pictures; 1 with a line for each that is too large."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("report", type=Path, help="the folder of a report")
    parser.add_argument("--to", type=Path, default=IMAGES, metavar="DIR")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    page = (options.report / "report.html").resolve(strict=True).as_uri()
    terminal = _TERMINAL.format(text=html.escape(summary(options.report)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=_ARGUMENTS
        )
        taken = {
            name: picture
            for scheme in ("light", "dark")
            for name, picture in {
                f"page-{scheme}": shot(browser, scheme, 1200, 900, url=page),
                f"page-narrow-{scheme}": shot(browser, scheme, 390, 844, url=page),
                f"terminal-{scheme}": shot(browser, scheme, 1200, 900, content=terminal),
            }.items()
        }
        browser.close()
    sizes = {f"{name}.png": write(options.to / f"{name}.png", taken[name]) for name in taken}
    for name, size in sizes.items():
        print(f"{name} {size:,} bytes{' TOO LARGE' * (size > LARGEST)}")  # noqa: T201
    return int(max(sizes.values()) > LARGEST)


def summary(report: Path) -> str:
    """What a run prints at its end."""
    done = subprocess.run(
        [sys.executable, "-m", "alignment", "report", str(report), "--format", "text"],
        env=os.environ | {"COLUMNS": str(COLUMNS)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def shot(
    browser: Browser, scheme: str, width: int, height: int, *, url: str = "", content: str = ""
) -> bytes:
    """A picture of the top of a page, or of the whole of a text, as PNG."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        offline=True,
    )
    page = context.new_page()
    if url:
        page.goto(url)
        picture = page.screenshot(animations="disabled")
    else:
        page.set_content(content)
        picture = page.locator("pre").screenshot(animations="disabled")
    context.close()
    return picture


def write(path: Path, picture: bytes) -> int:
    """Write it with a palette, which flat colours bear; its size in bytes."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(colors=128, dither=Image.Dither.NONE).save(path, optimize=True)
    return path.stat().st_size


if __name__ == "__main__":
    sys.exit(main())
