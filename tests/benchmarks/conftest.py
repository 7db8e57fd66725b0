"""Benchmarks take their time, so they run only when they are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent

TABLE = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(config, items):
    """Skip what lies here unless `--benchmark-only` (or `--benchmark-disable`: each once)."""
    if config.option.benchmark_only or config.option.benchmark_disable:
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="a benchmark: add --benchmark-only"))


@pytest.fixture
def table(request):
    """Lines of Markdown that are printed at the end of the run, for docs/performance.md."""
    return request.config.stash.setdefault(TABLE, [])


def pytest_terminal_summary(terminalreporter, config):
    """Print the tables."""
    for line in config.stash.get(TABLE, []):
        terminalreporter.write_line(line)
