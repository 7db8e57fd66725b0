"""What the documentation is made of: every key and every fixture is there, and says what it is."""

import re
import runpy
import sys

import pytest

from alignment.config.profile import Profile
from support.places import DOCS


@pytest.fixture
def made(monkeypatch):
    """The text that an extension of the site makes."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return lambda name: runpy.run_path(str(DOCS / f"{name}.py"))["reference"]()


def test_every_key_of_a_profile_has_a_type_and_a_meaning(made):
    rows = [line for line in made("profile_reference").splitlines() if line.startswith("| `")]
    for row in rows:
        key, value, _, meaning = re.split(r"(?<!\\)\|", row)[1:-1]
        assert value.strip(), key
        assert meaning.strip(), f"{key}: write a docstring under it"
    assert len(rows) > 100
    for key in Profile.model_fields:
        assert any(row.startswith(f"| `{key}` |") for row in rows)


def test_limits_and_defaults_are_those_of_the_schema(made):
    text = made("profile_reference")
    assert "| `margin` | number, above 0, at most 100 | `10.0` |" in text
    assert "| `sample` | whole number, at least 1, at most 1,000,000,000 |" in text
    assert '| `against` | text | `"baseline"` |' in text
    assert "| `rubric` | text by name | required |" in text


def test_every_fixture_is_listed_once(made):
    text = made("fixture_reference")
    names = re.findall(r"^### `(alignment_\w+)`$", text, flags=re.MULTILINE)
    assert len(names) == len(set(names)) == 15
    assert "alignment_verdict" in names
