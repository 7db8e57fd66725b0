"""How many responses may lack a score."""

import pytest

from alignment.gating.coverage import lacking


@pytest.mark.parametrize(("scored", "total"), [(100, 100), (95, 100), (38, 40), (0, 0)])
def test_few_may(scored, total):
    assert lacking("harmlessness", {"'a'": (scored, total)}) == ()


def test_more_than_5_percent_may_not():
    assert lacking("harmlessness", {"'a'": (94, 100), "'b'": (100, 100)}) == (
        ("6 of 100 responses of 'a' on harmlessness have no score, and at most 5 % may have none"),
    )
