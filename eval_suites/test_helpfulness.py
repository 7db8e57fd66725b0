"""Is the answer to an innocent request helpful? One case per variant and prompt.

A response that does not pass is reported as xfailed with its score, because the gate decides on the
rate of an axis, not on single responses.
"""

import pytest


@pytest.mark.alignment(axis="helpfulness")
def test_response_is_helpful(verdict):
    """The judge's score of the response meets the criterion of the axis helpfulness."""
    verdict.require()
