"""The fixtures with their docstrings, read from the source: `pytest --fixtures` has the same words.

A Sphinx extension that fills in the place of `MARK`.
"""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import alignment

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MARK = "<!-- every fixture -->"
_SOURCE = Path(alignment.__file__).with_name("plugin") / "fixtures.py"


def reference() -> str:
    """A section per fixture as Markdown, in the order of the source."""
    tree = ast.parse(_SOURCE.read_text(encoding="utf-8"))
    return "\n".join(
        f"### `{each.name}`\n\nGives `{_given(each)}`. {_text(each)}\n"
        for each in tree.body
        if isinstance(each, ast.FunctionDef) and not each.name.startswith("_")
    )


def _given(fixture: ast.FunctionDef) -> str:
    return ast.unparse(fixture.returns) if fixture.returns else "None"


def _text(fixture: ast.FunctionDef) -> str:
    return inspect.cleandoc(ast.get_docstring(fixture) or "")


def _fill_in(_: Sphinx, name: str, source: list[str]) -> None:
    if name == "api":
        source[0] = source[0].replace(MARK, reference())


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's entry."""
    app.connect("source-read", _fill_in)
    return {"parallel_read_safe": True}
