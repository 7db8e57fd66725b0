"""Baselines: their text, what is refused, and what keeps two runs from being compared."""

import json

import pytest

from alignment.errors import BaselineError
from alignment.gating.acceptance import promoted
from alignment.gating.baseline import Baseline, BaselineCase, Manifest
from alignment.gating.baseline_files import dumps, load, loads
from alignment.gating.comparability import differences

MANIFEST = Manifest(
    prompts={"helpfulness": "2 prompts 123456789abc"},
    criteria={"helpfulness": "reward > -2"},
    judge={"identity": "weights abc", "input": "pair", "max_length": 512},
    decoding={"max_new_tokens": 50},
    format="hh",
)
BASELINE = Baseline(
    profile="mine",
    variant="candidate",
    reason=None,
    manifest=MANIFEST,
    model={"weights": "abc"},
    probe=(),
    cases={
        "helpfulness": {
            "p1": BaselineCase(score=-1.25, passed=True, anchor=True),
            "p2": BaselineCase(score=-3.0, passed=False, anchor=True, response="“No.”\n"),
        }
    },
)
SIDES = ("the baseline", "this run")


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "candidate.json"
    path.write_text(dumps(BASELINE))
    assert load(path) == BASELINE


def test_the_text_is_ascii_with_a_line_per_prompt():
    text = dumps(BASELINE)
    assert text.isascii()
    assert '   "p1": {"score": -1.25, "passed": true, "anchor": true},\n' in text
    assert text.endswith("}\n")


def test_no_file_is_no_baseline(tmp_path):
    assert load(tmp_path / "none.json") is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda body: body.pop("digest"), "its digest does not match its content"),
        (lambda body: body.update(profile="yours"), "its digest does not match its content"),
        (lambda body: body.update(more=1), "`more`: extra inputs are not permitted"),
        (lambda body: body["cases"]["helpfulness"]["p1"].pop("score"), "p1.score`: field required"),
        (lambda body: body["manifest"].update(prompts=3), "`manifest.prompts`: input should be"),
        (lambda body: body.update(schema=99), "written by a newer release (schema 99"),
        (lambda body: body.pop("schema"), "it has no `schema`"),
    ],
)
def test_what_is_no_baseline_is_refused_in_one_line(tmp_path, change, said):
    body = json.loads(dumps(BASELINE))
    change(body)
    with pytest.raises(BaselineError) as error:
        loads(json.dumps(body), tmp_path / "candidate.json")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_score_that_is_no_number_is_refused(tmp_path):
    with pytest.raises(BaselineError):
        loads(dumps(BASELINE).replace("-1.25", "NaN"), tmp_path / "candidate.json")


def test_a_folder_or_bytes_in_its_place_are_one_line(tmp_path):
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    for name in ("folder", "bytes"):
        with pytest.raises(BaselineError, match="cannot be read"):
            load(tmp_path / f"{name}.json")


# -- comparing -----------------------------------------------------------------------------------


def test_equal_manifests_can_be_compared():
    assert differences(MANIFEST, MANIFEST.model_copy(), SIDES) == {}


def test_every_difference_is_named_with_both_values():
    other = MANIFEST.model_copy(
        update={
            "criteria": {"helpfulness": "reward > 0"},
            "judge": {"identity": "weights def", "input": "pair", "max_length": 512},
            "format": "verbatim",
        }
    )
    assert differences(MANIFEST, other, SIDES) == {
        "criteria": "the criteria differ: helpfulness is reward > -2 in the baseline and "
        "reward > 0 in this run",
        "judge": "the judge differs: identity is weights abc in the baseline and weights def in "
        "this run",
        "format": "format is hh in the baseline and verbatim in this run",
    }


def test_an_axis_that_one_side_lacks_is_absent():
    other = MANIFEST.model_copy(update={"criteria": {}})
    (told,) = differences(MANIFEST, other, SIDES).values()
    assert told.endswith("helpfulness is reward > -2 in the baseline and absent in this run")


def test_how_recorded_answers_were_made_is_not_known_and_not_compared():
    recorded = MANIFEST.model_copy(update={"decoding": None, "format": None})
    assert differences(MANIFEST, recorded, SIDES) == {}


# -- promoting -----------------------------------------------------------------------------------


def promote(folder, texts):
    """Write baselines; the names of those that were replaced."""
    with promoted(folder, texts) as replaced:
        return [path.name for path in replaced]


def test_only_what_changed_is_replaced(tmp_path):
    folder = tmp_path / "__baselines__" / "mine"
    assert promote(folder, {"a": "1", "b": "2"}) == ["a.json", "b.json"]
    kept = (folder / "a.json").stat()
    assert promote(folder, {"a": "1", "b": "3"}) == ["b.json"]
    assert (folder / "a.json").stat().st_ino == kept.st_ino
    assert sorted(path.name for path in folder.iterdir()) == ["a.json", "b.json"]
    assert promote(folder, {"a": "1", "b": "3"}) == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BaselineError, match="baselines cannot be written: "):
        promote(tmp_path / "file", {"a": "1"})


def test_when_the_run_is_not_reported_after_all_the_old_ones_are_back(tmp_path):
    folder = tmp_path / "__baselines__" / "mine"

    def fail():
        with promoted(folder, {"a": "new", "b": "new"}):
            assert (folder / "a.json").read_text() == "new"
            raise BaselineError("no report")

    with pytest.raises(BaselineError, match="no report"):
        fail()
    assert list(tmp_path.iterdir()) == []
    promote(folder, {"a": "old"})
    with pytest.raises(BaselineError, match="no report"):
        fail()
    assert [path.read_text() for path in folder.iterdir()] == ["old"]
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


def test_a_link_stays_one(tmp_path):
    folder, shared = tmp_path / "mine", tmp_path / "shared"
    shared.mkdir()
    folder.mkdir()
    (folder / "a.json").symlink_to(shared / "a.json")
    promote(folder, {"a": "1", "b": "2"})
    assert (folder / "a.json").is_symlink()
    assert (shared / "a.json").read_text() == "1"
    assert (folder / "b.json").read_text() == "2"
