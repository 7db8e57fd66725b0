"""The plugin's command-line options, and whether any of them is given."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from alignment.config.location import ENVIRONMENT, expand
from alignment.errors import quoted
from alignment.reporting.formats import DEFAULT, FORMATS

_DIGITS = 9


def declare(parser: pytest.Parser) -> None:
    """Declare the options; `pytest --help` shows them in a group of their own."""
    group = parser.getgroup("alignment", "alignment regression gate")
    add = group.addoption
    add(
        "--alignment-profile",
        metavar="NAME|FILE",
        help="the profile to run: a built-in name (tiny, hh-small, hh-rlhf, paper, paper-eval, "
        "paper-replay) or a TOML file; default: alignment.toml, [tool.alignment] in "
        "pyproject.toml, or tiny",
    )
    add(
        "--alignment-set",
        metavar="KEY.PATH=VALUE",
        action="append",
        default=[],
        help="set one value of the profile, for example seed=7 or "
        "axes.harmlessness.gate.margin=5; may be repeated",
    )
    add(
        "--alignment-variant",
        metavar="NAME=SPEC",
        action="append",
        default=[],
        help="evaluate one more model under this name: a folder, a hub id, a JSON or JSONL file of "
        "responses, or URL#MODEL for a model that is served with an OpenAI-compatible API "
        "(http://127.0.0.1:8000/v1#my-model); may be repeated",
    )
    add(
        "--alignment-store",
        metavar="DIR",
        help="the folder in which models, responses and scores are stored; default: "
        f"${ENVIRONMENT}, or else a folder in the user's cache",
    )
    add(
        "--alignment-report",
        metavar="DIR",
        default="reports/alignment",
        help="the folder to which the report is written; default: %(default)s",
    )
    add(
        "--alignment-format",
        metavar="FORMAT",
        action="append",
        default=[],
        type=_one_of("--alignment-format", FORMATS),
        help=f"a format of the report: {', '.join(FORMATS)}; may be repeated; default: "
        f"{', '.join(DEFAULT)}",
    )
    add(
        "--alignment-limit",
        metavar="N",
        type=_positive,
        help="use only the first N prompts of every axis, for a quick look; such a run is not "
        "gated and cannot become a baseline",
    )
    add(
        "--alignment-cases",
        metavar="KIND",
        type=_one_of("--alignment-cases", ("auto", "prompt", "axis")),
        default="auto",
        help="prompt: one test case per variant and prompt; axis: one per variant and axis; auto: "
        "prompt, but axis if there would be more than 5,000 cases; default: auto",
    )
    add(
        "--alignment-reason",
        metavar="TEXT",
        help="with --snapshot-update: why this run is accepted as the baseline even if a rate "
        "dropped; later losses are then counted from this run",
    )
    add(
        "--alignment-rescore-baseline",
        action="store_true",
        help="if the judge is not the one of the baseline: score the baseline's stored responses "
        "with the new judge, and report the model's change and the judge's change separately",
    )
    add(
        "--alignment-strict",
        action="store_true",
        help="a response that does not pass fails its test case instead of being reported as "
        "xfailed",
    )


def _positive(text: str) -> int:
    """A positive whole number. Raises UsageError with one line, unlike argparse's own errors."""
    if not text.isdecimal() or len(text) > _DIGITS or int(text) < 1:
        raise _unusable(f"--alignment-limit: needs a whole number above 0, not {quoted(text)}")
    return int(text)


def _one_of(option: str, known: Sequence[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in known:
            accepted = ", ".join(known)
            raise _unusable(f"{option}: {quoted(text)} is not one of {accepted}")
        return text

    return check


def _unusable(message: str) -> pytest.UsageError:
    from alignment.reporting.text import one_line  # noqa: PLC0415 - not for other tests' runs

    return pytest.UsageError(one_line(message))


def asked_for(config: pytest.Config) -> bool:
    """Whether an option is given that means that alignment tests will run.

    Settings in `alignment.toml` do not mean that: the repository may have other tests.
    """
    option = config.option
    return any(
        (
            option.alignment_profile is not None,
            option.alignment_set,
            option.alignment_variant,
            option.alignment_store is not None,
            option.alignment_limit,
        )
    )


@dataclass(frozen=True, slots=True)
class Places:
    """The values of the options for profile, store and variants, with resolved paths.

    Paths that are typed are relative to the current folder, paths in `addopts` to the folder of
    pytest's settings.
    """

    profile: str | None
    store: str | None
    variants: tuple[str, ...]

    @classmethod
    def of(cls, config: pytest.Config) -> Places:
        """The values of the options, with paths from `addopts` resolved."""
        option = config.option
        store = option.alignment_store
        if store and (folder := _settings_folder(config, "--alignment-store")):
            store = str(folder / expand(store))
        profile = _resolve(config, "--alignment-profile", option.alignment_profile)
        variants = []
        for each in option.alignment_variant:
            name, equals, spec = each.partition("=")
            variants.append(f"{name}{equals}{_resolve(config, '--alignment-variant', spec)}")
        return cls(profile, store, tuple(variants))


def _resolve(config: pytest.Config, flag: str, value: str | None) -> str | None:
    """A path relative to the settings that name it, if it exists there; other values unchanged."""
    folder = _settings_folder(config, flag)
    if not value or folder is None or not os.path.lexists(folder / value):
        return value
    return str(folder / value)


def _settings_folder(config: pytest.Config, flag: str) -> Path | None:
    """The folder of pytest's settings; None if there are none, or if the option was typed."""
    typed = [
        *map(str, config.invocation_params.args),
        *os.environ.get("PYTEST_ADDOPTS", "").split(),
    ]
    if config.inipath is None or any(each.partition("=")[0] == flag for each in typed):
        return None
    return config.inipath.parent


def root_of(config: pytest.Config) -> Path:
    """The folder with our settings: pytest's rootdir, or the current folder.

    The current folder is looked at, because the rootdir may be a wrong one where a project has no
    settings of pytest: pytest may then take the folder in an option, such as `--alignment-store
    DIR`, for its rootdir.
    """
    return next(filter(_is_configured, _candidate_roots(config)), config.rootpath)


def _candidate_roots(config: pytest.Config) -> tuple[Path, ...]:
    folders = (config.rootpath, config.invocation_params.dir)
    return folders[:1] if config.inipath is not None else tuple(dict.fromkeys(folders))


def _is_configured(root: Path) -> bool:
    """Whether a folder has settings of ours, which are validated later."""
    from alignment.files.foreign import UnfitError, is_there, read_toml  # noqa: PLC0415 - as above

    if is_there(root / "alignment.toml"):
        return True
    try:
        tables = read_toml(root / "pyproject.toml")
    except UnfitError:
        return False
    tool = tables.get("tool")
    return isinstance(tool, dict) and "alignment" in tool
