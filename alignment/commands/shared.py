"""Options that several commands have, with the same names and the same help."""

from __future__ import annotations

import argparse

from alignment.config.location import ENVIRONMENT

PROFILE = (
    "the profile: a built-in name or a TOML file; default: alignment.toml, [tool.alignment] in "
    "pyproject.toml, or tiny"
)
"""The help of an argument that names a profile."""


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add `--set`, and pytest's `--alignment-set` as another name of it."""
    parser.add_argument(
        "--set",
        "--alignment-set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="set one value of the profile, for example seed=7; may be repeated",
    )


def add_store(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Add `--store`, and pytest's `--alignment-store` as another name of it."""
    parser.add_argument(
        "--store",
        "--alignment-store",
        metavar="DIR",
        default=default,
        help="the folder in which models, responses and scores are stored; default: "
        f"${ENVIRONMENT}, or else a folder in the user's cache",
    )
