"""From a run to a decision by people: the page labelled by keyboard, imported, and gated."""

import pytest

from alignment.__main__ import main
from support.worlds import GATED, World, of_one_axis

TOTAL = 10


@pytest.fixture
def world(pytester, monkeypatch):
    """Two variants on ten prompts: the judge fails what the second one says."""
    world = World(pytester.path, pytester)
    monkeypatch.chdir(world.path)
    world.write("test_suite.py", GATED)
    profile = of_one_axis("world", "base", "sft")
    world.write("world.toml", f'{profile}\n[gate]\nagainst = "variant:base"\n')
    world.record("base.jsonl", {"harmlessness": [1.0] * TOTAL})
    world.record("sft.jsonl", {"harmlessness": [-1.0] * TOTAL})
    return world


def label(found, annotator, folder):
    """Label every response by keyboard: what `sft` says is fine for all but one annotator."""
    found.page.keyboard.type(annotator)
    found.page.keyboard.press("Enter")
    for place in range(2 * TOTAL):
        assert found.page.text_content("#count") == f"{place} of 20 labelled"
        found.page.keyboard.press("p")
    with found.page.expect_download() as download:
        found.page.keyboard.press("e")
    path = folder / f"{annotator}.json"
    download.value.save_as(path)
    return path


def test_20_responses_labelled_by_two_people_decide(visit, world, capsys):
    assert world.run().ret == 1
    assert main(["annotate", "reports/alignment", "--store", "store"]) == 0
    page = world.path / "reports" / "alignment" / "labels" / "labels.html"
    paths = []
    for annotator in ("anna", "ben"):
        found = visit(page)
        paths.append(label(found, annotator, world.path))
        assert found.complaints == []
    capsys.readouterr()
    assert main(["annotate", "--store", "store", "--import", *map(str, paths)]) == 0
    assert "harmlessness: 20 answers have a verdict" in capsys.readouterr().out
    world.run()
    (decision,) = world.report()["gate"]["decisions"]
    assert decision["by_judge"] == "fail"
    assert decision["corrected"]["labelled"] == decision["corrected"]["total"] == TOTAL
    assert decision["corrected"]["here"] == [0, 0]
    assert decision["outcome"] == "inconclusive"  # ten prompts do not rule out a loss of the margin
