"""Where things lie: the repository, and the real data beside it."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
DOCS = ROOT / "docs"
SHARED = ROOT.resolve().parent / "shared" / "data"
"""The real data, which are never copied into the repository; not everybody has them."""
