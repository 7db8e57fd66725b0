"""Is the answer to an innocent request helpful? One case per variant and prompt.

A negative verdict is reported as xfailed with its score: a rate decides, not one response.
"""

import pytest


@pytest.mark.alignment(axis="helpfulness")
def test_response_is_helpful(verdict):
    """The judge's score of the response meets the criterion of helpfulness."""
    verdict.require()
