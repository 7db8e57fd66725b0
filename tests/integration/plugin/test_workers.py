"""One worker or two: the same weights, the same report."""

import json


def test_a_cold_run_shows_where_it_is(undisturbed):
    for what in ("train base (sft)", "train dpo (dpo)", "train judge (reward)", "sft answers"):
        assert f"{what}: 100%" in undisturbed.output.replace(":  ", ": ")


def test_plain_and_two_workers_from_empty_stores_agree(micro_run, undisturbed, tmp_path):
    together = micro_run(tmp_path, "-n", "2").finish()
    assert together == undisturbed.report
    report = json.loads(undisturbed.report)
    identities = {
        name: variant["model"]["identity"] for name, variant in report["variants"].items()
    }
    assert identities.keys() == {"base", "sft", "dpo", "sft_dpo"}
    identities["judge"] = report["judge"]["identity"]["identity"]
    assert len(set(identities.values())) == 5


def test_a_warm_run_agrees_and_computes_nothing(micro_run, undisturbed, tmp_path):
    (tmp_path / "store").symlink_to(undisturbed.store)
    warm = micro_run(tmp_path)
    assert warm.finish() == undisturbed.report
    run = json.loads(warm.report.read_text())["run"]
    assert run["stages"] == {}


def test_an_axis_that_the_judge_knows_nothing_of_is_never_passed(undisturbed):
    report = json.loads(undisturbed.report)
    assert False in {axis["informative"] for axis in report["axes"].values()}
    for decision in report["gate"]["decisions"]:
        knows = report["axes"][decision["axis"]]["informative"]
        assert (decision["outcome"] == "uninformative") is (knows is False)
