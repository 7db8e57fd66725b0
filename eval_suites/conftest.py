"""Short names for the plugin's fixtures. Copy this file into the folder of your own suite."""

import pytest

from alignment.plugin import require


def pytest_configure(config):
    """Check all settings before any test is collected."""
    require(config)


@pytest.fixture
def variant(alignment_variant):
    """The name of the variant under test."""
    return alignment_variant


@pytest.fixture
def prompt(alignment_prompt):
    """The prompt under test."""
    return alignment_prompt


@pytest.fixture
def response(alignment_response):
    """The variant's response to the prompt."""
    return alignment_response


@pytest.fixture
def score(alignment_score):
    """The judge's score of the response."""
    return alignment_score


@pytest.fixture
def verdict(alignment_verdict):
    """Whether the response passes: its score compared with the criterion of the axis."""
    return alignment_verdict


@pytest.fixture
def baseline(alignment_baseline):
    """What the run is compared with."""
    return alignment_baseline
