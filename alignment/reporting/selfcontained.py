"""Pages that are one file each: they load nothing, and untrusted text in them stays text."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from alignment.reporting.text import safe


def environment() -> Environment:
    """Jinja over the package's templates; every value that they write is made safe."""
    return Environment(
        loader=PackageLoader("alignment", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def source(templates: Environment, name: str) -> str:
    """A template's own text, such as a style sheet."""
    assert templates.loader is not None  # noqa: S101 - set in `environment`
    return templates.loader.get_source(templates, name)[0]


def content_policy(styles: Sequence[str], script: str, *, style_attributes: bool = False) -> str:
    """The Content-Security-Policy: no requests, and no script or style but those given.

    They are known by their hashes. `style_attributes` allows those of elements.
    """
    sheets = " ".join(dict.fromkeys(map(_hash, styles)))
    attributes = "style-src-attr 'unsafe-inline'; " if style_attributes else ""
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {sheets}; "
        f"{attributes}img-src data:; base-uri 'none'; form-action 'none'"
    )


def _finalize(value: object) -> object:
    """Makes every value that a template writes safe: untrusted text has no other way in.

    Markup passes unchanged: macros, and the page's own sources, which templates mark as safe.
    """
    return value if hasattr(value, "__html__") else safe(str(value), lines=True)


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
