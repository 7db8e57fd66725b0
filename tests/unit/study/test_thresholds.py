"""Proposed thresholds, written into a profile's file."""

import tomllib

import pytest

from alignment.analysis.calibration import ScoredPair, propose, youden
from alignment.config.layers import resolve
from alignment.errors import JudgeError, ProfileError
from alignment.study.thresholds import remark, require_informative, threshold_of, write_into


@pytest.fixture(scope="module")
def proposal():
    pairs = [ScoredPair(n / 7, n / 7 - 1.5, f"{n}") for n in range(20)]
    return propose("Youden's threshold", youden, pairs, confidence=0.95, resamples=100, seed=0)


def test_a_new_file_is_a_profile_that_extends_the_one_that_was_calibrated(tmp_path, proposal):
    path = tmp_path / "mine.toml"
    write_into(path, {"harmlessness": proposal}, extends="tiny")
    profile = resolve(tmp_path, selected=str(path))
    axis = profile.axes["harmlessness"]
    assert (axis.threshold, axis.comparison) == (threshold_of(proposal), ">=")
    assert profile.axes["helpfulness"] == resolve(tmp_path).axes["helpfulness"]
    assert remark(proposal) in path.read_text()


def test_what_else_a_file_says_stays_comments_too(tmp_path, proposal):
    path = tmp_path / "mine.toml"
    before = (
        '# ours\nextends = "tiny"\n\n[axes.harmlessness]  # careful\nthreshold = 1.5  # a guess\n'
        "gate.margin = 12.0\n\n[generation]\nmax_new_tokens = 20\n"
    )
    path.write_text(before)
    write_into(path, {"harmlessness": proposal, "helpfulness": proposal}, extends="tiny")
    text = path.read_text()
    assert "# ours" in text
    assert "# careful" in text
    assert "a guess" not in text
    found = tomllib.loads(text)
    assert found["axes"]["harmlessness"]["gate"] == {"margin": 12.0}
    assert found["axes"]["helpfulness"]["threshold"] == threshold_of(proposal)
    assert found["generation"] == {"max_new_tokens": 20}
    write_into(path, {"harmlessness": proposal}, extends="tiny")
    assert tomllib.loads(path.read_text()) == found
    assert [each.name for each in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("axes = 3\n", "axes: must be a table"), ("[axes\n", "not valid TOML")],
)
def test_a_file_that_is_no_profile_is_one_line_and_stays_as_it_was(
    tmp_path, proposal, text, message
):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ProfileError, match=message) as caught:
        write_into(path, {"harmlessness": proposal}, extends="tiny")
    assert "\n" not in str(caught.value)
    assert path.read_text() == text


def test_a_folder_that_is_not_there_is_one_line(tmp_path, proposal):
    with pytest.raises(ProfileError, match="cannot be written: No such file or directory"):
        write_into(tmp_path / "no" / "mine.toml", {"harmlessness": proposal}, extends="tiny")


def test_no_threshold_of_a_judge_that_guesses():
    pairs = [ScoredPair(n * 7 % 13, n * 5 % 13, f"{n}") for n in range(30)]
    guessed = propose("x", youden, pairs, confidence=0.95, resamples=10, seed=0)
    with pytest.raises(JudgeError, match=r"which includes 0\.5: the judge does not tell") as caught:
        require_informative({"harmlessness": guessed})
    assert "\n" not in str(caught.value)
