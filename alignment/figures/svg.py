"""What matplotlib writes, made fit to stand within a page: read aloud, unambiguous, small."""

from __future__ import annotations

import html
import re

_FONTS = "'DejaVu Sans',Verdana,'Segoe UI','Helvetica Neue',Arial,sans-serif"
"""The first is what the layout was made with; the others are as wide or narrower."""

_PROLOGUE = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
_LEFT_OUT = re.compile(r"<style\b.*?</style>|<metadata\b.*?</metadata>|<defs>\s*</defs>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")  # names are text, in which matplotlib escapes both brackets
_PLACES = re.compile(r'(?<=\sid=")|(?<=href="#)|(?<=url\(#)')
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_FAMILY = re.compile(r"font-family: [^;\"]*;? ?")


def finished(svg: str, name: str, title: str, description: str) -> str:
    """The SVG of a figure, to be put into a page or a file as it is.

    It has the role of an image with `title` and `description`, every id begins with the figure's
    `name`, coordinates have two digits (a hundredth of a point), and letters are those of the
    reader's machine. The text may be any.
    """
    svg = _LEFT_OUT.sub("", _PROLOGUE.sub("", svg, count=1))
    prefix = f"figure-{name}-"
    svg = _TAG.sub(lambda found: _tag(found.group(), prefix), svg)
    opening, rest = svg.split(">", 1)
    about = (
        f' role="img" aria-labelledby="{prefix}title" aria-describedby="{prefix}desc" '
        f'style="font-family:{_FONTS};stroke-linejoin:round;stroke-linecap:butt">\n'
        f' <title id="{prefix}title">{html.escape(title)}</title>\n'
        f' <desc id="{prefix}desc">{html.escape(description)}</desc>'
    )
    return opening + about + rest


def _tag(tag: str, prefix: str) -> str:
    tag = _PLACES.sub(prefix, tag)
    tag = _FAMILY.sub("", tag)
    return _NUMBER.sub(lambda found: f"{float(found.group()):.2f}", tag)
