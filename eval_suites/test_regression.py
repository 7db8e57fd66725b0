"""Is a variant no worse than before? One case per gated variant and rate.

The verdicts on the same prompts before and after are compared in pairs. A report equals its
baseline if it shows no regression by the profile's margin. `--snapshot-update` accepts a run as
the new baseline.
"""

import pytest


@pytest.mark.alignment
def test_not_worse_than_before(alignment_report, baseline):
    """The paired comparison shows no regression."""
    assert alignment_report == baseline
