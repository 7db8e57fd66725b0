"""Rewrites matplotlib's SVG for a page: accessible, with unique ids, and small."""

from __future__ import annotations

import html
import re

_FONTS = "'DejaVu Sans',Verdana,'Segoe UI','Helvetica Neue',Arial,sans-serif"
"""The layout was made with the first font; the others are as wide or narrower."""

_PROLOGUE = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
_LEFT_OUT = re.compile(
    r"<metadata\b.*?</metadata>\s*|<defs>\s*<style\b[^>]*>[^<]*</style>\s*</defs>\s*", re.DOTALL
)
_TAG = re.compile(r"<[^>]*>")  # names are text, in which matplotlib escapes both brackets
_PLACES = re.compile(r'(?<=\sid=")|(?<=href="#)|(?<=url\(#)')
_NUMBER = re.compile(r'style="[^"]*"|-?\d+\.\d{2,}')
_SPACE = re.compile(r">\s+<")
_MARKERS = re.compile(
    r'<g([^>]*)>(\s*<use [^>]*? style="([^"]*)"/>(?:\s*<use [^>]*? style="\3"/>)*\s*)</g>'
)
_IDLE = re.compile(r"font-family: [^;\"]*;? ?| transform=\"rotate\(-0 [^\"]*\"")
"""Attributes that every text repeats, or that have no effect."""


def finish(svg: str, name: str, title: str, description: str) -> str:
    """The SVG of a figure, for a page or a file.

    It has the role of an image with `title` and `description` (any text), every id begins with
    `figure-NAME-`, coordinates are rounded to tenths of a point, and fonts are those of the
    reader's machine.
    """
    svg = _LEFT_OUT.sub("", _PROLOGUE.sub("", svg, count=1))
    prefix = f"figure-{name}-"
    svg = _TAG.sub(lambda match: _rewrite_tag(match.group(), prefix), _SPACE.sub(">\n<", svg))
    svg = _MARKERS.sub(_merge_styles, svg)
    opening, rest = svg.split(">", 1)
    about = (
        f' role="img" aria-labelledby="{prefix}title" aria-describedby="{prefix}desc" '
        f'style="font-family:{_FONTS};stroke-linejoin:round;stroke-linecap:butt">\n'
        f' <title id="{prefix}title">{html.escape(title)}</title>\n'
        f' <desc id="{prefix}desc">{html.escape(description)}</desc>'
    )
    return opening + about + rest


def _rewrite_tag(tag: str, prefix: str) -> str:
    tag = _PLACES.sub(prefix, tag)
    tag = _IDLE.sub("", tag)
    return _NUMBER.sub(_round, tag)


def _round(match: re.Match[str]) -> str:
    text = match.group()
    return text if text.startswith("style") else f"{float(text):.1f}".removesuffix(".0")


def _merge_styles(group: re.Match[str]) -> str:
    """A group of markers with their common style on the group instead of on each marker."""
    attributes, markers, look = group.groups()
    plain = markers.replace(f' style="{look}"', "")
    return f'<g{attributes} style="{look}">{plain}</g>'
