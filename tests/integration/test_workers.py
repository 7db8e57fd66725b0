"""One worker or two: the same weights, the same report."""

import json
import re


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


def test_workers_that_take_a_variant_each_give_the_same_report(micro_run, undisturbed, tmp_path):
    """`-n 2 --dist loadgroup`: a variant's cases are one worker's, and so is answering them."""
    run = micro_run(tmp_path, "-n", "2", "--dist", "loadgroup", "-v")
    assert run.finish() == undisturbed.report
    output = (tmp_path / "output").read_text()
    cases = re.findall(r"\[(gw\d)\].* \S+::test_response_\S+@(\w+)", output)
    workers = {variant: worker for worker, variant in cases}
    assert set(cases) == {(worker, variant) for variant, worker in workers.items()}
    answered = re.findall(r"\[(gw\d)\] (\w+) answers: 100%", output)
    assert len(answered) == 4
    for found in (workers, {variant: worker for worker, variant in answered}):
        assert found.keys() == {"base", "sft", "dpo", "sft_dpo"}
        assert set(found.values()) == {"gw0", "gw1"}


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
