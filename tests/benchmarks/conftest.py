"""Benchmarks take their time, so they run only when they are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config, items):
    """Skip what lies here unless `--benchmark-only` (or `--benchmark-disable`: each once)."""
    if config.option.benchmark_only or config.option.benchmark_disable:
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="a benchmark: add --benchmark-only"))
