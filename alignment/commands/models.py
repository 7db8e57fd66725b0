"""The commands `train` and `profile`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alignment.commands.shared import PROFILE, add_set, add_store


def declare(commands: Any) -> None:
    """Add `train` and `profile`."""
    train = commands.add_parser(
        "train",
        help="train the models of a profile and save them in the store; can run under torchrun",
    )
    train.set_defaults(command=_train)
    train.add_argument("name", nargs="?", metavar="NAME|FILE", help=PROFILE)
    add_set(train)
    train.add_argument(
        "--variant",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME",
        help="the variants to train (or `judge`), with their parents; default: all that have "
        "training stages",
    )
    add_store(train)

    profile = commands.add_parser(
        "profile", help="print a profile as JSON, with all defaults and settings filled in"
    )
    profile.set_defaults(command=_profile)
    profile.add_argument("name", nargs="?", metavar="NAME|FILE", help=PROFILE)
    add_set(profile)


def _train(options: argparse.Namespace) -> Iterator[str]:
    from alignment.study.ahead import train_ahead  # noqa: PLC0415 - loads pydantic

    yield from train_ahead(options.name, options.set, options.store, options.variant)


def _profile(options: argparse.Namespace) -> Iterator[str]:
    from alignment.config.layers import resolve  # noqa: PLC0415 - loads pydantic
    from alignment.reporting import jsontext  # noqa: PLC0415

    profile = resolve(Path.cwd(), selected=options.name, assignments=options.set)
    yield jsontext.dumps(dict(profile.resolved())).rstrip()
