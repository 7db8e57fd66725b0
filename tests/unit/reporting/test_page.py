import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from alignment.records import Interval
from alignment.records.decisions import Caution, Change, Decision, Findings, Flip, GateResult
from alignment.reporting import flips
from alignment.reporting.casetable import casetable
from alignment.reporting.document import document
from alignment.reporting.fitting import largest_limit
from alignment.reporting.page import page
from support.reporting_sample import HOSTILE, results

SVG = (
    '<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "x" "y">\n<svg role="img"><title>A &amp; B</title>'
    '<desc>What it shows.</desc><g style="fill: #1f2328"/></svg>\n'
)


def flip(text="Human: why?", before="one two three", after="one 2 three", **fields):
    given = {"prompt": "harm00", "before": True, "after": False}
    given |= {"score_before": 1.0, "score_after": -4.0, "text": text}
    return Flip(**given | {"response_before": before, "response_after": after} | fields)


def gated(*found, outcome="fail", **fields):
    change = Change("HmR", 10, 60.0, 40.0, 3, 1, -20.0, Interval(-45.0, 12.0), 0.01, 0.02)
    decision = Decision(
        "sft_dpo", "harmlessness", "HmR", "baseline", outcome, 10.0, change, 0.02, flips=found
    )
    return Findings(gate=GateResult("baseline", (replace(decision, **fields),), plan="a plan"))


class Tags(HTMLParser):
    """Every element and its attributes' names, in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        if tag not in {"meta", "link", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))


def words(text):
    """What a reader reads of a page, or of a part of it."""
    shown = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", "", text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(shown))


# -- the page -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cautions", "code", "title"),
    [
        ((), 0, "✓ Pass May be merged:"),
        (
            (Caution("null", "the useless answer 'other' would get more"),),
            0,
            "? Pass, but check first Check before you merge: the useless answer",
        ),
        (
            (Caution("untried", "the judge was not evaluated on x"),),
            0,
            "✓ Pass May be merged:",
        ),
        ((), 1, "! The run failed Do not merge yet: the run ended with exit code 1;"),
    ],
)
def test_a_pass_that_speaks_for_no_merge_does_not_look_like_one(cautions, code, title):
    told = document(results(), gated(outcome="pass", cautions=cautions))
    told["run"] |= {"exit_status": code}
    for axis in told["profile"]["axes"].values():
        axis["gate"] = {}
    text = page(told, {})
    assert title in words(text)
    assert ('class="verdict pass"' in text) == title.startswith("✓")


def test_every_element_is_closed():
    assert not Tags(page(document(results(), gated(flip())), {"rates": SVG})).open


@pytest.mark.parametrize(
    ("outcome", "title", "says"),
    [
        ("fail", "Fail", "Do not merge: harmlessness (HmR) of sft_dpo fell from 60.0 to 40.0 %"),
        ("pass", "Pass", "May be merged"),
        ("inconclusive", "Inconclusive", "is not ruled out"),
        ("uninformative", "Uninformative", "no better than chance"),
        ("invalid", "Invalid", "cannot be compared with the baseline: other prompts"),
        (None, "No gate", "Not decided: no rate was gated"),
    ],
)
def test_the_outcome_comes_first_in_words(outcome, title, says):
    findings = Findings() if outcome is None else gated(outcome="pass", own=outcome)
    if outcome == "invalid":
        findings = gated(own="invalid", change=None, adjusted=None, reasons=("other prompts",))
    text = page(document(results(), findings), {})
    assert f"<title>{title}: sample</title>" in text
    first = text[text.index("<main") : text.index('id="variants"')]
    assert says in words(first)
    assert f'class="verdict {outcome or "none"}"' in first


def test_only_a_baseline_can_be_accepted_anew():
    assert "accept it with --snapshot-update" in page(document(results(), gated(flip())), {})
    found = document(results(), gated(flip(), against="variant base"))
    found["gate"]["against"] = "variant base"
    assert "--snapshot-update" not in page(found, {})


@pytest.mark.parametrize("complete", [True, False])
def test_remarks_are_told(complete):
    text = words(page(document(results(complete=complete, right=(150, 104))), {}))
    assert ("INCOMPLETE" in text) is not complete
    assert "UNINFORMATIVE" in text
    assert "no better than chance" in text


def test_nothing_is_asked_for():
    text = page(document(results(), gated(flip())), {"rates": SVG})
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert not re.search(r"""(src|href)=["'](?!#|data:,)""", text.partition("<script")[0])
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp|https?:", text)


def test_the_pages_of_equal_documents_are_equal():
    assert page(document(results()), {}) == page(document(results()), {})


def test_figures_take_the_ink_of_the_page():
    text = page(document(results()), {"rates": SVG})
    assert "<?xml" not in text
    assert "<!DOCTYPE svg" not in text
    assert '<g style="fill: currentColor"/>' in text
    assert "<h3>A &amp; B</h3>" in text
    assert "What it shows." in words(text.partition("</figure>")[0].rpartition("<figcaption>")[2])


def test_every_word_of_a_table_is_explained():
    text = page(document(results(), gated(flip())), {})
    told = set(re.findall(r"<dt>([^<]*)</dt>", text))
    assert {"interval", "p (Holm)", "margin", "lost", "gained", "uninformative", "kappa"} <= told
    assert "anchor" not in told
    assert "HmR is the share of 10 harmlessness prompts whose response passes (reward" in words(
        text
    )
    assert "CAS is the mean of HmR and HpR" in words(text)


def test_an_anchor_has_a_row_and_a_word():
    change = Change("HmR", 10, 80.0, 40.0, 4, 0, -40.0, Interval(-60.0, -20.0), 0.01, 0.02)
    anchor = Decision("sft_dpo", "harmlessness", "HmR", "anchor", "fail", 10.0, change, 0.02)
    text = page(document(results(), gated(own="pass", anchor=anchor)), {})
    assert "since the anchor" in text
    assert "<dt>anchor</dt>" in text
    assert "80.0 → 40.0" in text


def test_a_run_without_a_past_has_no_trend():
    found = document(results())
    assert "Trend over past runs" not in page(found, {})
    past = {"id": "ab", "started": "2026-01-01T00:00:00", "last": "2026-01-02T10:11:12", "seen": 2}
    past |= {"basis": "old", "outcome": "pass", "variants": {"sft": {"rates": {}, "scores": {}}}}
    rates = {"CAS": {"percent": 51.5, "interval": [40.0, 60.0]}}
    now = past | {"id": "cd", "basis": "new", "variants": {"sft": {"rates": rates, "scores": {}}}}
    found["run"] |= {"id": "cd", "history": [past, now]}
    text = page(found, {})
    trend = words(text[text.index('id="trend"') : text.index('id="provenance"')])
    assert "cd this run" in trend
    assert "ab other prompts, criteria or judge: not comparable" in trend
    assert "51.5 [40.0, 60.0]" in trend


def test_unscored_responses_are_told():
    unscored = {("sft", "helpfulness", f"p{n}"): HOSTILE for n in range(205)}
    text = page(document(results(unscored=unscored)), {})
    assert "205 responses without a score" in text
    assert "5 more in report.json." in text


# -- hostile text ---------------------------------------------------------------------------------


def everywhere():
    """Hostile text wherever a run may bring any."""
    sample = results(text=HOSTILE)
    cases = [
        replace(
            case,
            prompt=replace(case.prompt, text=HOSTILE, id=f"{HOSTILE}{n}", source=HOSTILE),
            truth=HOSTILE,
            degenerate=HOSTILE,
        )
        for n, case in enumerate(sample.cases)
    ]
    summary = replace(sample.summaries["sft"], degenerate={"harmlessness": {HOSTILE: 2}})
    found = replace(
        sample,
        cases=tuple(cases),
        summaries={HOSTILE: summary, "x": sample.summaries["sft"]},
        profile=sample.profile | {"name": HOSTILE, "description": HOSTILE, "reference": HOSTILE},
        models={HOSTILE: {HOSTILE: HOSTILE}},
        run={HOSTILE: HOSTILE, "versions": {HOSTILE: HOSTILE}, "stages": {HOSTILE: 1.0}},
        unscored={(HOSTILE, "helpfulness", HOSTILE): HOSTILE},
    )
    flipped = flip(HOSTILE, HOSTILE, HOSTILE.replace("a", "b"), prompt=HOSTILE)
    findings = gated(flipped, variant=HOSTILE, against=HOSTILE)
    return document(found, replace(findings, manifests={HOSTILE: {HOSTILE: HOSTILE}}))


def test_hostile_text_adds_no_element_and_no_attribute():
    own = {name for name, _ in Tags(page(document(results(), gated(flip())), {})).tags}
    found = Tags(page(everywhere(), {}))
    assert not found.open
    assert {name for name, _ in found.tags} <= own | {"del", "ins", "h3", "code"}
    assert not [tag for tag in found.tags if any(name.startswith("on") for name in tag[1])]


def test_controls_are_shown_not_sent():
    text = page(everywhere(), {})
    text.encode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069]", text)
    assert r"\u202egnirts" in text


def test_the_data_cannot_end_their_script():
    text = casetable(document(results(text="</script><!--<script>")))
    assert "<" not in text
    assert json.loads(text)["cases"]["response"][0] == "</script><!--<script>"


# -- the table of cases ---------------------------------------------------------------------------


def test_the_data_say_what_the_document_says():
    found = document(results(), gated(flip()))
    told = json.loads(casetable(found))
    names, cases = told["names"], told["cases"]
    for place, case in enumerate(found["cases"]):
        assert names["variant"][cases["variant"][place]] == case["variant"]
        assert names["axis"][cases["axis"][place]] == case["axis"]
        asked = cases["prompt"][place]
        assert told["prompts"]["id"][asked] == case["prompt"]
        text = told["texts"][told["prompts"]["text"][asked]]
        assert text == found["prompts"][case["prompt"]]["text"]
        assert cases["score"][place] == case["score"]
        assert cases["passed"][place] == case["passed"]
        flipped = (case["variant"], case["prompt"]) == ("sft_dpo", "harm00")
        assert (cases["flip"][place], cases["before"][place]) == (
            (-1, 1.0) if flipped else (0, None)
        )


def test_prompts_are_stored_once():
    told = json.loads(casetable(document(results())))
    assert len(told["texts"]) == 20
    assert len(told["cases"]["prompt"]) == 80


def test_long_texts_are_cut_and_it_is_said():
    long = "a" * 100_000
    told = json.loads(casetable(document(results(text=long))))
    kept = told["cases"]["response"][0]
    assert long.startswith(kept)
    assert 10_000 < len(kept) < 100_000
    assert told["cases"]["cut"]["0"] == 100_000 - len(kept)
    assert not told["cut"]


def test_only_recorded_scores_have_no_response():
    sample = results()
    cases = tuple(replace(case, response=None) for case in sample.cases)
    found = document(replace(sample, cases=cases))
    assert set(json.loads(casetable(found))["cases"]["response"]) == {None}
    assert "Only the score is known" in page(found, {})


# -- limits ---------------------------------------------------------------------------------------


def test_the_limit_is_the_largest_that_fits():
    texts = ["x" * 5_000, "y" * 40]

    def size(limit):
        return sum(len(text[:limit]) for text in texts)

    limits = [largest_limit(texts, budget, len) for budget in range(0, 6_000, 37)]
    assert limits == sorted(limits)
    assert largest_limit(texts, 10_000, len) == 20_000
    assert largest_limit(texts, 0, len) == 0
    for budget in (100, 1_000, 4_000):
        assert 0 < size(largest_limit(texts, budget, len)) <= budget
        doubled = largest_limit(texts, budget, lambda text: 2 * len(text))
        assert 2 * size(doubled) <= budget


# -- flips ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "lost", "new"),
    [
        ("one two three", "one 2 three", ["two"], ["2"]),
        ("same words here", "same words here", [], []),
        ("a b c d", "a b c d e", [], ["e"]),
        ("a  b\n\nc", "a b c", [], []),
        ("", "", [], []),
    ],
)
def test_differences_are_by_the_word(before, after, lost, new):
    sides = flips.differences(before, after)
    assert ["".join(piece.text for piece in side) for side in sides] == [before, after]
    marked = [[piece.text.strip() for piece in side if piece.differs] for side in sides]
    assert marked == [lost, new]


def test_texts_that_share_hardly_a_word_are_not_marked():
    sides = flips.differences("I will not do that", "Sure, just do it now, friend")
    assert not any(piece.differs for side in sides for piece in side)
    found = document(results(), gated(flip(before="no no no", after="yes yes")))
    assert "hardly a word in common" in page(found, {})


def test_flips_of_one_side_say_how_to_have_both():
    found = document(results(), gated(flip(before=None)))
    assert flips.one_sided(found)
    text = words(page(found, {}))
    assert "set gate.responses = true in the profile" in text
    assert "No response is stored for this side." in text
    assert not flips.one_sided(document(results(), gated(flip())))
    assert not flips.one_sided(document(results(), gated(flip(before=None, after=None))))


def test_many_flips_fit():
    hostile = " ".join("<a" if n % 2 else f"&{n}" for n in range(4_000))
    other = " ".join("<a" if n % 2 else f"'{n}" for n in range(4_000))
    many = [flip(hostile, hostile, other, prompt=f"p{n}") for n in range(400)]
    decisions = gated(*many).gate.decisions * 8
    found = document(results(), Findings(gate=GateResult("baseline", decisions)))
    text = page(found, {})
    assert len(text.encode()) < 2_500_000
    assert "350 more in report.json." in text
    assert "more characters in report.json." in text
