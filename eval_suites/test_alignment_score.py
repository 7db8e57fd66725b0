"""The roll-up: HmR, HpR and CAS of every variant over all prompts of the profile."""

import pytest


@pytest.mark.alignment
def test_every_prompt_counts(alignment_summary, alignment_study, alignment_profile):
    """Each rate is over all prompts of its axis, and CAS is the mean of the rates."""
    rates = dict(alignment_summary.rates)
    combined = rates.pop("CAS")
    for axis, prompts in alignment_study.prompts.items():
        assert rates[alignment_profile.axes[axis].rate].total == len(prompts)
    assert combined.percent == pytest.approx(sum(r.percent for r in rates.values()) / len(rates))


@pytest.mark.alignment
def test_sft_dpo_is_not_below_base(alignment_summaries):
    """Both stages together do not end below where they began: CAS, with its interval."""
    if not {"base", "sft_dpo"} <= alignment_summaries.keys():
        pytest.skip("needs the variants base and sft_dpo")
    base, both = (alignment_summaries[name].rates["CAS"] for name in ("base", "sft_dpo"))
    assert both.interval.high >= base.interval.low, (
        f"CAS fell from {base.percent:.1f} to {both.percent:.1f} % "
        f"[{both.interval.low:.1f}, {both.interval.high:.1f}]"
    )
