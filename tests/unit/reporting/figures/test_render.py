"""Figures as bytes: equal for equal data, whoever draws, and found again without matplotlib."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import alignment
from alignment.reporting import figures
from alignment.store import Store
from support.figures_sample import make, with_history

HEAVY = ("matplotlib", "matplotlib.pyplot", "numpy", "scipy", "torch")
ELSEWHERE = f"""
import hashlib, json, sys
from pathlib import Path
from alignment.reporting import figures
from alignment.store import Store

path, store = sys.argv[1:]
store = None if store == "-" else Store(Path(store))
found = [figures.render(*each, store) for each in json.loads(Path(path).read_text())]
digests = [[hashlib.sha256(each).hexdigest() for each in one.values()] for one in found]
print(json.dumps([digests, [name for name in {HEAVY} if name in sys.modules]]))
"""


@pytest.fixture(scope="module")
def made():
    return with_history(make(prompts=8), 3, changed=(1,))


def elsewhere(folder, asked, store="-"):
    """Another process is asked for documents in formats: digests, and what heavy it imported."""
    path = folder / "asked.json"
    path.write_text(json.dumps(asked))
    root = str(Path(alignment.__file__).parents[1])
    # As a user may have it: settings of their own, and another seed of hashes.
    (folder / "matplotlibrc").write_text("font.size: 30\naxes.facecolor: red\nsvg.fonttype: path\n")
    changed = {"PYTHONHASHSEED": "1", "PYTHONPATH": root, "MATPLOTLIBRC": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(path), str(store)],
        env=os.environ | changed,
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    return json.loads(done.stdout)


def digests(found):
    return [hashlib.sha256(each).hexdigest() for each in found.values()]


def test_the_bytes_of_a_format_do_not_depend_on_the_others(made):
    """Layout goes on from where the last saving left it, and PNGs are saved at another size."""
    together = figures.render(made, ["png", "svg", "pdf"])
    for kind in ("svg", "png", "pdf"):
        alone = figures.render(made, [kind])
        assert alone == {key: each for key, each in together.items() if key[1] == kind}


def test_two_processes_draw_the_same_bytes(made, tmp_path):
    small = make(("only",), ("only",), 4)
    asked = [(made, ["svg"]), (small, ["png", "pdf"])]
    here = [figures.render(*each) for each in asked]
    there, imported = elsewhere(tmp_path, asked)
    assert [len(each) for each in there] == [6, 6]
    assert [digests(each) for each in here] == there
    assert imported == ["matplotlib", "numpy"]
    for (_, kind), content in {**here[0], **here[1]}.items():
        assert content.startswith({"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF"}[kind])


def test_what_the_store_has_is_not_drawn(made, tmp_path):
    kept = figures.render(made, ["svg", "png"], store := Store(tmp_path / "store"))
    assert {kind: count for kind, count, _ in store.contents()}["figure"] == 12
    store.close()
    there, imported = elsewhere(tmp_path, [(made, ["svg", "png"])], tmp_path / "store")
    assert there == [digests(kept)]
    assert imported == []


def test_other_data_are_drawn_anew_and_equal_data_are_not(made, tmp_path):
    store = Store(tmp_path / "store")
    first = figures.render(made, ["svg"], store)
    other = json.loads(json.dumps(made))
    other["run"]["seconds"] = 5.0
    other["cases"][0]["response"] = "another text"
    assert figures.render(other, ["svg"], store) == first
    assert {kind: count for kind, count, _ in store.contents()}["figure"] == 6
    other["variants"]["sft"]["rates"]["CAS"]["percent"] = 1.5
    second = figures.render(other, ["svg"], store)
    assert [key for key in first if first[key] != second[key]] == [("rates", "svg")]
    assert b">1.5</text>" in second["rates", "svg"]
    assert {kind: count for kind, count, _ in store.contents()}["figure"] == 7
    store.close()


def test_no_setting_is_left_changed():
    import matplotlib as mpl

    def settings():  # but for the backend: asking for it is what chooses it
        return {key: mpl.rcParams[key] for key in mpl.rcParams if key != "backend"}

    with mpl.rc_context({"font.size": 23.0, "svg.fonttype": "path"}):
        before = settings()
        figures.render(make(("only",), ("only",), 4), ["svg"])
        assert settings() == before


def test_a_png_is_on_white_and_sharp_enough_for_print():
    import io

    from PIL import Image

    image = Image.open(
        io.BytesIO(figures.render(make(("only",), ("only",), 4), ["png"])["rates", "png"])
    )
    assert image.width == 660
    assert image.convert("RGBA").getpixel((1, 1)) == (255, 255, 255, 255)
    assert round(image.info["dpi"][0]) == 150
