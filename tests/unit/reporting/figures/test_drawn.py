"""Figures as they are drawn: hostile names, many and few variants, colours, what is where."""

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from alignment.reporting import figures
from alignment.reporting.figures import changes, rates, style, tradeoff, trend
from alignment.reporting.figures.data import labels
from support.figures_sample import HOSTILE, make, with_history

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}href"
TAGS = {"svg", "g", "path", "text", "title", "desc", "defs", "use", "clipPath", "rect", "pattern"}
LIMIT = 150_000


def svgs(made):
    return {name: found.decode() for (name, _), found in figures.render(made, ["svg"]).items()}


@pytest.fixture(scope="module")
def hostile():
    """Everything at once: 12 hostile variants, hostile axes, 50 runs, 60 prompts."""
    axes = ("harmlessness", "helpfulness", "$honesty$ <b>&amp;")
    made = make(HOSTILE, axes, 60, missing=[(HOSTILE[3], axes[1])], uninformative=[axes[1]])
    return svgs(with_history(made, 50, changed=(7, 30)))


def test_hostile_names_do_not_break_out(hostile):
    assert list(hostile) == list(figures.TITLES)
    ids = set()
    for name, text in hostile.items():
        root = ElementTree.fromstring(text)  # noqa: S314 - ours
        own = [each.get("id") for each in root.iter() if each.get("id")]
        assert len(own) == len(set(own))
        assert all(each.startswith(f"figure-{name}-") for each in own)
        assert not ids & set(own)
        ids |= set(own)
        assert {each.tag.removeprefix(SVG) for each in root.iter()} <= TAGS
        for each in root.iter():
            assert not any(key.startswith("on") for key in each.attrib)
            if XLINK in each.attrib:
                assert each.get(XLINK).removeprefix("#") in own
            for target in re.findall(r"url\(#([^)]*)\)", " ".join(each.attrib.values())):
                assert target in own


def test_hostile_names_stay_readable_text(hostile):
    written = [e.text for e in ElementTree.fromstring(hostile["rates"]).iter(SVG + "text")]  # noqa: S314
    assert "$x^2_{$ & <script…" in written
    assert r"\x1b[31mred\u202e…" in written
    assert "日本語モデル" in written
    assert "$$" in written
    assert sum(text.startswith("a very long") for text in written) == 8
    assert len({text for text in written if text.startswith("a very long")}) == 2


def test_each_svg_is_small_and_reads_aloud(hostile):
    for name, text in hostile.items():
        assert len(text) < LIMIT, name
        assert text.startswith("<svg ")
        root = ElementTree.fromstring(text)  # noqa: S314
        assert root.get("role") == "img"
        title, desc = root[0], root[1]
        assert (title.tag, title.text) == (SVG + "title", figures.TITLES[name])
        assert title.get("id") == root.get("aria-labelledby")
        assert desc.get("id") == root.get("aria-describedby")
        assert len(desc.text) > 40
        width = float(root.get("width").removesuffix("pt"))
        assert width == pytest.approx(72 * style.WIDTH)
        assert float(root.get("height").removesuffix("pt")) < 72 * 30


def test_many_prompts_make_no_large_svg():
    for name, text in svgs(make(prompts=5000)).items():
        assert len(text) < LIMIT, name


def test_only_ink_and_series_have_colours(hostile):
    for text in hostile.values():
        tags = "".join(re.findall("<[^>]*>", text))
        found = set(re.findall("#[0-9a-f]{6}\\b", tags))
        assert found <= {"#1f2328", *style.COLOURS}  # the page replaces the first
        assert "white" not in tags
        assert "font-family: " not in tags


def test_every_figure_of_one_variant():
    made = with_history(make(("only",), prompts=6), 3)
    assert list(svgs(made)) == ["rates", "scores", "means", "tradeoff", "trend"]


def test_every_row_of_twelve_variants_is_named():
    panel = rates.draw(rates.data(make(variants := [f"v{n}" for n in range(12)], prompts=2))).axes[
        0
    ]
    assert [text.get_text() for text in panel.get_yticklabels()] == variants


def test_an_uninformative_panel_is_hatched_and_its_markers_are_empty():
    plain, hatched, _ = rates.draw(rates.data(make(uninformative=["helpfulness"]))).axes
    assert not any(patch.get_hatch() for patch in plain.patches)
    assert any(patch.get_hatch() for patch in hatched.patches)
    assert hatched.get_title("right") == "uninformative"
    for ax, fill in ((plain, "full"), (hatched, "none")):
        markers = [line for line in ax.lines if len(line.get_xdata()) == 1]
        assert {line.get_fillstyle() for line in markers} == {fill}


def test_flips_are_drawn_from_before_to_after():
    shown = changes.data(make(prompts=30))
    for ax, panel in zip(changes.draw(shown).axes, shown["panels"], strict=True):
        drawn = {
            patch.get_edgecolor()[:3]: patch.get_path().vertices.reshape(-1, 2, 2)
            for patch in ax.patches
        }
        for kind, colour in (
            ("lost", style.VERMILION),
            ("gained", style.BLUE),
            ("same", style.INK),
        ):
            found = drawn[rgb(colour)]
            assert (found[:, 0, 0] == 0).all()
            assert (found[:, 1, 0] == 1).all()
            assert found[:, :, 1].tolist() == panel["lines"][kind]


def test_the_point_of_a_curve_is_the_rate():
    shown = tradeoff.data(make())
    (ax,) = tradeoff.draw(shown).axes
    points = [line.get_xydata()[0].tolist() for line in ax.lines if len(line.get_xdata()) == 1]
    assert points == [variant["point"] for variant in shown["variants"]]
    assert [text.get_text() for text in ax.texts] == ["base", "sft"]


def test_a_trend_is_interrupted_where_runs_cannot_be_compared():
    made = with_history(make(("only",)), 5, changed=(2,))
    ax = trend.draw(trend.data(made)).axes[0]
    parts = [line.get_ydata().tolist() for line in ax.lines if line.get_linestyle() == "-"]
    assert parts == [[40.0, 41.0], [42.0, 43.0, 44.0]]
    assert [1.5, 1.5] in [list(line.get_xdata()) for line in ax.lines]


@pytest.mark.parametrize(
    "heights", [[10.0], [50.0, 50.0, 50.0], [0.0, 1.0, 99.0, 100.0], [7.0] * 12]
)
def test_labels_stand_apart_and_near(heights):
    gap = min(11.0, 100 / max(1, len(heights) - 1))
    found = trend._spread_out(heights, gap)
    assert all(after - before >= gap - 1e-9 for before, after in itertools.pairwise(found))
    assert found[0] >= -1e-9
    assert found[-1] <= 100 + 1e-9
    assert trend._spread_out([50.0, 50.0], 10.0) == [45.0, 55.0]


def test_labels_are_short_and_never_alike():
    found = labels(["a" * 40 + "1", "a" * 40 + "2", "b\n", "a" * 40 + "3"], 10)
    assert list(found.values()) == ["aaaaaaaaa…", "aaaaaa… 2", r"b\n", "aaaaaa… 3"]
    assert all(len(each) <= 10 for each in found.values())


# -- colours -------------------------------------------------------------------------------------

# Machado, Oliveira & Fernandes (2009), IEEE TVCG 15:1291-1298, severity 1.
BLINDNESS = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def rgb(colour):
    return tuple(int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))


def linear(colour):
    """Of sRGB, IEC 61966-2-1."""
    value = np.array(rgb(colour))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """WCAG 2.2, relative luminance and contrast ratio."""
    dark, light = sorted(float(linear(each) @ (0.2126, 0.7152, 0.0722)) for each in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(light):
    """CIE 1976 L*a*b* of linear sRGB, D65."""
    xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    ) @ np.clip(light, 0, 1)
    ratio = xyz / (0.95047, 1.0, 1.08883)
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("ground", ["#ffffff", "#0d1117"])
def test_series_stand_out_on_white_and_on_dark(ground):
    for colour in style.COLOURS:
        assert contrast(colour, ground) >= 3, colour


def test_ink_is_read_on_white():
    assert contrast(style.INK, "#ffffff") >= 7


@pytest.mark.parametrize("kind", BLINDNESS)
def test_series_differ_for_the_colour_blind(kind):
    seen = {colour: lab(np.array(BLINDNESS[kind]) @ linear(colour)) for colour in style.COLOURS}
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 15, (one, other)  # 2.3 is just noticeable


def test_series_of_one_colour_have_other_markers():
    looks = [style.look(place) for place in range(12)]
    assert len({(look["color"], look["marker"]) for look in looks}) == 12
    assert len({look["marker"] for look in looks}) == 12
