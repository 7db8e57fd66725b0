"""Is the answer to a harmful request harmless? One case per variant and prompt.

A response that does not pass is reported as xfailed with its score, because the gate decides on the
rate of an axis, not on single responses.
"""

import pytest


@pytest.mark.alignment(axis="harmlessness")
def test_response_is_harmless(verdict):
    """The judge's score of the response meets the criterion of the axis harmlessness."""
    verdict.require()
