"""Is a variant no worse than before? One case per gated variant and rate.

The same prompts before and after, compared in pairs: equal to its baseline is a report that shows
no regression beyond the profile's margin. `--snapshot-update` accepts a run as the new baseline.
"""

import pytest


@pytest.mark.alignment
def test_not_worse_than_before(alignment_report, baseline):
    """The paired comparison rules a regression out, or cannot tell and says so."""
    assert alignment_report == baseline
