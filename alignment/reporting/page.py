"""The report as an HTML page: one file that loads nothing from a network."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment

from alignment.reporting import gate_text, numbers, score_changes, slices
from alignment.reporting.casetable import casename, casetable
from alignment.reporting.corrections import decisive, sentences
from alignment.reporting.flips import flips, one_sided
from alignment.reporting.glossary import OUTCOMES, glossary, next_step
from alignment.reporting.merge_advice import advise
from alignment.reporting.numbers import Document
from alignment.reporting.remarks import remarks
from alignment.reporting.selfcontained import content_policy, environment, source
from alignment.reporting.text import safe, shorten

_NAME = 80
_INK = "#1f2328"
"""The ink of figures, replaced by the text colour of the page, which may be dark."""
_SVG = re.compile(r"<svg\b.*</svg>", re.DOTALL)
_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)
_TEXT = re.compile(r"<(title|desc)\b[^>]*>(.*?)</\1>", re.DOTALL)


def page(document: Document, figures: Mapping[str, str]) -> str:
    """The page of a document, as HTML; `figures` are SVGs by name, shown in their order.

    Texts of models, prompts and names are shown as text, with control characters as visible
    escapes, and long lists are folded. The page is smaller than 5 MB for 1,000 cases: long texts
    are cut, and the page says so.
    """
    templates = _environment()
    style, script = (source(templates, f"page.{kind}") for kind in ("css", "js"))
    drawings = {name: _inline(svg) for name, svg in figures.items()}
    styles = [style, *(sheet for svg in drawings.values() for sheet in _STYLE.findall(svg))]
    advice = advise(document)
    return templates.get_template("page.html.j2").render(
        document=document,
        advice=advice,
        next_step=next_step(document, advice.outcome),
        widest=_half_width(document),
        remarks=remarks(document, safe),
        words=glossary(document),
        flips=flips(document),
        one_sided=one_sided(document),
        cases=casetable(document),
        figures=drawings,
        figure_texts={name: _texts(svg, name) for name, svg in drawings.items()},
        style=style,
        script=script,
        policy=content_policy(styles, script, style_attributes=True),  # figures are full of them
    )


@cache
def _environment() -> Environment:
    templates = environment()
    templates.globals |= {"numbers": numbers, "gate_text": gate_text, "titles": OUTCOMES}
    templates.globals |= {"decisive": decisive, "on_labels": sentences, "safe": safe}
    templates.globals |= {"slice_rows": slices.rows, "by_scores": score_changes.clause}
    templates.filters |= {"name": _name, "plain": _plain}
    templates.filters["link"] = _link
    return templates


def _name(text: str) -> str:
    return shorten(safe(text), _NAME)


def _link(case: tuple[str, str]) -> str:
    """The query for the cases of a (variant, prompt), which the page's script reads."""
    return urlencode({"case": "/".join(casename(each) for each in case)})


def _half_width(document: Document) -> float:
    """The largest interval end or margin in points: the half width of the gate's bars."""
    decisions = document["gate"]["decisions"] if document["gate"] else []
    sides = [side for each in decisions for side in (each, each["anchor"]) if side]
    changes = [decisive(side) for side in sides if side["change"]]
    ends = [abs(float(end)) for change in changes for end in change["interval"]]
    return max([1.0, *ends, *(float(side["margin"]) for side in sides)])


def _plain(value: Any, limit: int = 20_000) -> str:
    """Settings as indented JSON."""
    return shorten(json.dumps(value, indent=2, ensure_ascii=False), limit)


def _inline(svg: str) -> str:
    """The `<svg>` element of a figure alone, in the page's text colour."""
    match = _SVG.search(svg)
    return match.group().replace(_INK, "currentColor") if match else ""


def _texts(svg: str, name: str) -> dict[str, str]:
    """The texts in a figure: `title` (else its name) and `desc` (else empty)."""
    texts = {tag: html.unescape(text).strip() for tag, text in reversed(_TEXT.findall(svg))}
    return {"title": name, "desc": ""} | texts
