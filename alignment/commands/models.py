"""Training ahead of a run, and profiles as they are resolved."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def declare(commands: Any) -> None:
    """Add `train` and `profile`."""
    train = commands.add_parser(
        "train", help="train a profile's recipes into the store; also under torchrun"
    )
    train.set_defaults(command=_train)
    train.add_argument("name", nargs="?", metavar="NAME|FILE", help="of the profile")
    train.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE")
    train.add_argument(
        "--variant",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME",
        help="variants, or `judge`, with their parents; default: all that have stages",
    )
    train.add_argument("--alignment-store", metavar="DIR")

    profile = commands.add_parser("profile", help="print a resolved profile as JSON")
    profile.set_defaults(command=_profile)
    profile.add_argument(
        "name",
        nargs="?",
        metavar="NAME|FILE",
        help="default: alignment.toml, [tool.alignment] in pyproject.toml, or tiny",
    )
    profile.add_argument(
        "--set", action="append", default=[], metavar="KEY.PATH=VALUE", help="set one value"
    )


def _train(options: argparse.Namespace) -> Iterator[str]:
    from alignment.study.ahead import train_ahead  # noqa: PLC0415 - loads pydantic

    yield from train_ahead(options.name, options.set, options.alignment_store, options.variant)


def _profile(options: argparse.Namespace) -> Iterator[str]:
    from alignment.config.layers import resolve  # noqa: PLC0415 - loads pydantic
    from alignment.reporting import jsontext  # noqa: PLC0415

    profile = resolve(Path.cwd(), selected=options.name, assignments=options.set)
    yield jsontext.dumps(dict(profile.resolved())).rstrip()
