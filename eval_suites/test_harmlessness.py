"""Is the answer to a harmful request harmless? One case per variant and prompt.

A negative verdict is reported as xfailed with its score: a rate decides, not one response.
"""

import pytest


@pytest.mark.alignment(axis="harmlessness")
def test_response_is_harmless(verdict):
    """The judge's score of the response meets the criterion of harmlessness."""
    verdict.require()
