"""The rates HmR and HpR and their mean CAS, for every variant over all prompts of the profile."""

import pytest


@pytest.mark.alignment
def test_every_prompt_counts(alignment_summary, alignment_study, alignment_profile):
    """Each rate uses all prompts that have a score, and CAS is the mean of the rates."""
    rates = dict(alignment_summary.rates)
    for axis, prompts in alignment_study.asked(alignment_summary.name).items():
        scored = rates.get(alignment_profile.axes[axis].rate)
        unscored = alignment_summary.unscored.get(axis, 0)
        assert (scored.total if scored else 0) + unscored == len(prompts)
    combined = rates.pop("CAS", None)
    if combined is None:
        pytest.skip("on at least one axis no response has a score")
    assert combined.percent == pytest.approx(sum(r.percent for r in rates.values()) / len(rates))


@pytest.mark.alignment
def test_sft_dpo_is_not_below_base(alignment_summaries):
    """After SFT and DPO, CAS is not below that of the base model (the intervals overlap)."""
    rated = {name for name, summary in alignment_summaries.items() if "CAS" in summary.rates}
    if not {"base", "sft_dpo"} <= rated:
        pytest.skip("needs the variants base and sft_dpo")
    base, both = (alignment_summaries[name].rates["CAS"] for name in ("base", "sft_dpo"))
    assert both.interval.high >= base.interval.low, (
        f"CAS fell from {base.percent:.1f} to {both.percent:.1f} % "
        f"[{both.interval.low:.1f}, {both.interval.high:.1f}]"
    )
