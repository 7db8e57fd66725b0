"""The command line's options, and whether anything of ours was asked for."""

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
    """A count; what is none is a usage error of one line, which argparse's own are not."""
    if not text.isdecimal() or len(text) > _DIGITS or int(text) < 1:
        raise _unusable(f"--alignment-limit: needs a whole number above 0, not {quoted(text)}")
    return int(text)


def _one_of(option: str, known: Sequence[str]) -> Callable[[str], str]:
    def chosen(text: str) -> str:
        if text not in known:
            accepted = ", ".join(known)
            raise _unusable(f"{option}: {quoted(text)} is not one of {accepted}")
        return text

    return chosen


def _unusable(said: str) -> pytest.UsageError:
    from alignment.reporting.text import one_line  # noqa: PLC0415 - a guest loads none of it

    return pytest.UsageError(one_line(said))


def asked_for(config: pytest.Config) -> bool:
    """Whether an option says that alignment tests will run.

    Settings in a file say no such thing: other tests of the repository are run beside them.
    """
    option = config.option
    given = (
        option.alignment_profile is not None,
        option.alignment_set,
        option.alignment_variant,
        option.alignment_store is not None,
        option.alignment_limit,
    )
    return any(given)


@dataclass(frozen=True, slots=True)
class Places:
    """What the options for profile, store and variants name, wherever pytest is called.

    What is typed starts at the current folder; what `addopts` says starts beside pytest's settings.
    """

    profile: str | None
    store: str | None
    variants: tuple[str, ...]

    @classmethod
    def of(cls, config: pytest.Config) -> Places:
        """As the options say, with paths from `addopts` made whole."""
        option = config.option
        store = option.alignment_store
        if store and (beside := _settings_folder(config, "--alignment-store")):
            store = str(beside / expand(store))
        profile = _beside(config, "--alignment-profile", option.alignment_profile)
        variants = []
        for each in option.alignment_variant:
            name, equals, spec = each.partition("=")
            variants.append(f"{name}{equals}{_beside(config, '--alignment-variant', spec)}")
        return cls(profile, store, tuple(variants))


def _beside(config: pytest.Config, flag: str, named: str | None) -> str | None:
    """A file or folder beside the settings that name it; other names are as they were."""
    folder = _settings_folder(config, flag)
    if not named or folder is None or not os.path.lexists(folder / named):
        return named
    return str(folder / named)


def _settings_folder(config: pytest.Config, flag: str) -> Path | None:
    """The folder of pytest's settings, where they hold an option and nobody has typed it."""
    typed = [
        *map(str, config.invocation_params.args),
        *os.environ.get("PYTEST_ADDOPTS", "").split(),
    ]
    if config.inipath is None or any(each.partition("=")[0] == flag for each in typed):
        return None
    return config.inipath.parent


def root_of(config: pytest.Config) -> Path:
    """The folder whose settings count: pytest's rootdir, else the current one.

    Where a project has no file for pytest, pytest takes the folder that an option names, such as
    that of `--alignment-store DIR`, for its rootdir.
    """
    return next(filter(_is_configured, _places(config)), config.rootpath)


def _places(config: pytest.Config) -> tuple[Path, ...]:
    places = (config.rootpath, config.invocation_params.dir)
    return places[:1] if config.inipath is not None else tuple(dict.fromkeys(places))


def _is_configured(root: Path) -> bool:
    """Whether a project has settings of ours; they are read and judged elsewhere."""
    from alignment.files.foreign import UnfitError, is_there, read_toml  # noqa: PLC0415 - as above

    if is_there(root / "alignment.toml"):
        return True
    try:
        tables = read_toml(root / "pyproject.toml")
    except UnfitError:
        return False
    tool = tables.get("tool")
    return isinstance(tool, dict) and "alignment" in tool
