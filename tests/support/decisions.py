"""What a gate decided, for whatever tells it: a failure, passes, and a better run."""

from dataclasses import replace

from alignment.records import Interval
from alignment.records.decisions import Change, Decision, Flip

CHANGE = Change("HmR", 100, 90.0, 60.0, 31, 1, -30.0, Interval(-39.5, -20.6), 1e-8, 2e-8)
FLIPS = tuple(
    Flip(
        f"p{i:02}",
        before=True,
        after=False,
        score_before=1.5,
        score_after=-2.0 + i / 10,
        text=f"Human: One.\n\nAssistant: Two.\n\nHuman: Question {i}?",
    )
    for i in range(12)
)
FAIL = Decision(
    "sft_dpo", "harmlessness", "HmR", "baseline", "fail", 10.0, CHANGE, 8e-8, flips=FLIPS
)
SAME = Change("HmR", 100, 90.0, 90.0, 0, 0, 0.0, Interval(-3.7, 3.7), 1.0, 1.0)
PASS = replace(FAIL, own="pass", change=SAME, adjusted=1.0, flips=())
FEW = replace(PASS, change=replace(SAME, total=5, interval=Interval(-43.4, 43.4)), identical=True)
BETTER = replace(PASS, change=replace(SAME, gained=20, interval=Interval(12.0, 28.0)))
