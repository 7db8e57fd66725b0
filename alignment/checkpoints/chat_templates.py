"""Chat templates, read without torch: found where transformers looks for them, and checked.

A tokenizer uses template files where there are any, and otherwise `tokenizer_config.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment.checkpoints.documents import is_there, read_json, read_text, shown
from alignment.errors import ModelError, quoted

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.parser import Parser

_CONFIG = "tokenizer_config.json"
_DEFAULT = "default"
_LARGEST = 1_000_000
"""Characters; the longest that are published have some 20,000."""


def template_files(folder: Path) -> dict[str, Path]:
    """Name -> file of the templates beside a tokenizer; the last file of a name counts."""
    files = {_DEFAULT: folder / "chat_template.jinja"}
    if not is_there(files[_DEFAULT]):
        files.clear()
    further = folder / "additional_chat_templates"
    if further.is_dir():
        for path in sorted(further.glob("*.jinja")):
            if is_there(path):
                files[path.name.removesuffix(".jinja")] = path
    return files


def templates_of(folder: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """Name -> text of a tokenizer's templates. Raises ModelError."""
    files = template_files(folder)
    if files:
        return {name: read_text(path) for name, path in files.items()}
    value = config.get("chat_template")
    if value is None:
        return {}
    if isinstance(value, str):
        return {_DEFAULT: value}
    where = f"model {folder}: chat_template in {_CONFIG}"
    if not isinstance(value, list):
        raise ModelError(f"{where} is {quoted(value)}; a text is required")
    templates: dict[str, str] = {}
    for each in value:
        name, text = (each.get(key) if isinstance(each, dict) else None for key in _NAMED)
        if not isinstance(name, str) or not isinstance(text, str):
            raise ModelError(
                f"{where} has {quoted(each)}; every template needs a `name` and a `template`"
            )
        templates[name] = text
    return templates


_NAMED = ("name", "template")


def has_chat_template(folder: Path) -> bool:
    """Whether a tokenizer has a chat template.

    Raises ModelError for one that is not valid, reads other templates, or could run for hours.
    """
    config = read_json(folder / _CONFIG) if is_there(folder / _CONFIG) else {}
    templates = templates_of(folder, config)
    if templates and _DEFAULT not in templates:
        raise ModelError(
            f"model {folder}: its chat templates are called "
            f"{shown(', '.join(map(repr, templates)), 100)}; one called {_DEFAULT!r} is required"
        )
    if not templates.get(_DEFAULT):
        return False
    _check_template(folder, templates[_DEFAULT])
    return True


def _check_template(folder: Path, template: str) -> None:
    from jinja2 import TemplateSyntaxError, meta, nodes  # noqa: PLC0415 - only chats pay for it

    if len(template) > _LARGEST:
        raise ModelError(
            f"model {folder}: its chat template has {len(template)} characters; at most {_LARGEST} "
            f"are read"
        )
    try:
        tree = _environment().parse(template)
    except TemplateSyntaxError as error:
        raise ModelError(
            f"model {folder}: its chat template is not valid: line {error.lineno}: "
            f"{shown(error.message, 200)}"
        ) from error
    except RecursionError as error:
        raise ModelError(f"model {folder}: its chat template is nested too deeply") from error
    if any(True for _ in meta.find_referenced_templates(tree)):
        raise ModelError(
            f"model {folder}: its chat template reads another one (include, import or extends); "
            f"one that says everything is required"
        )
    if tree.find(nodes.Pow) is not None:  # one such number can take hours, and nothing stops it
        raise ModelError(
            f"model {folder}: its chat template computes powers (`**`), which no dialogue needs; "
            f"write it without"
        )


def _environment() -> Any:
    """A jinja environment that accepts the same syntax as that of transformers."""
    from jinja2 import nodes  # noqa: PLC0415
    from jinja2.ext import Extension, loopcontrols  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    class Generation(Extension):
        """The tag `generation` of transformers, which marks the assistant's text."""

        tags = {"generation"}  # noqa: RUF012 - jinja's own interface

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    return ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
