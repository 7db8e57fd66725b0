from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from alignment.records import VariantSummary
from alignment.reporting.document import document
from alignment.reporting.markdown import LIMIT, markdown
from alignment.reporting.markup import block, code, table
from support.commonmark import assert_inert, tokens
from support.reporting_sample import HOSTILE, results

NASTY = st.text("`~|\\<>[]()!@#*_ \n\t\r\x1b\u202e\ud800a.:/")


def hostile():
    """Hostile text wherever a run may bring any: answers, prompts, names, kinds and truths."""
    sample = results(text=HOSTILE, complete=False, limit=2)
    prompts = [replace(case.prompt, text=HOSTILE, id=HOSTILE) for case in sample.cases]
    cases = [
        replace(case, prompt=prompt, degenerate=HOSTILE, truth=HOSTILE, variant=HOSTILE)
        for case, prompt in zip(sample.cases, prompts, strict=True)
    ]
    base = replace(sample.summaries["sft"], degenerate={"harmlessness": {HOSTILE: 2}})
    trial = sample.trials["harmlessness"]
    return replace(
        sample,
        cases=tuple(cases),
        summaries={HOSTILE: base, "x": sample.summaries["sft"]},
        profile=sample.profile | {"name": HOSTILE, "reference": HOSTILE},
        trials=sample.trials
        | {"harmlessness": replace(trial, degenerate={HOSTILE: trial.degenerate["question_mark"]})},
    )


def test_the_markdown_of_a_whole_run(snapshot):
    assert markdown(document(results(right=(150, 140)))) == snapshot


def test_the_markdown_of_a_doubtful_run(snapshot):
    text = markdown(document(results(complete=False, limit=10)))
    assert text.partition("<details>")[0] == snapshot


def test_the_structure_is_what_it_looks_like():
    seen = tokens(markdown(document(results())))
    types = [token.type for token in seen]
    assert types.count("table_open") == 4
    assert types.count("fence") == 2 * 2 * 2 * 4
    assert types.count("html_block") == 2
    headings = [seen[i + 1].content for i, kind in enumerate(types) if kind == "heading_open"]
    assert headings == [
        "Not decided: no rate was gated, so this run cannot decide about a merge.",
        "Variants",
        "Relative change from `base`",
        "Evaluation of the judge",
        "Degenerate responses",
    ]


def test_hostile_text_is_shown_but_never_obeyed():
    text = markdown(document(hostile()))
    assert_inert(text)
    seen = tokens(text)
    assert [token.type for token in seen].count("table_open") == 4
    fences = [token.content for token in seen if token.type == "fence"]
    assert any("<script>alert(1)</script>" in content for content in fences)
    assert all(token.info == "text" for token in seen if token.type == "fence")


def test_hostile_names_do_not_break_the_tables():
    seen = tokens(markdown(document(hostile())))
    rows, cells = [], 0
    for token in seen:
        cells = 0 if token.type == "tr_open" else cells + (token.type in {"td_open", "th_open"})
        if token.type == "tr_close":
            rows.append(cells)
    assert rows == [7, 7, 7, 4, 4, 4, 7, 7, 7, 2, 2, 2]


@pytest.mark.parametrize(
    "text",
    ["`", "``", " `a` ", "a|b", "a\\|b", "\\", "", "  ", "a\n\nb", "@x", "`" * 99, "]( `x", "|"],
)
def test_a_code_span_holds_whatever_it_is_given(text):
    line = f"| {code(text)} | after |"
    seen = tokens(f"| a | b |\n| --- | --- |\n{line}\n")
    cells = [token for token in seen if token.type == "inline"]
    assert [cell.content for cell in cells][-1] == "after"
    assert len(cells) == 4
    inside = {child.type for child in cells[2].children}
    assert inside == ({"code_inline"} if text.strip() else {"text"})


@pytest.mark.parametrize(
    "text", ["", "```", "~~~\n````\n", "</details>", "    x", "`" * 20, "\r\n#"]
)
def test_a_block_holds_whatever_it_is_given(text):
    seen = MarkdownIt("commonmark").parse(f"{block(text)}\n\nafter")
    assert [token.type for token in seen] == [
        "fence",
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]


@given(NASTY)
def test_no_text_gets_out_of_its_code(text):
    seen = tokens(f"| a | b |\n| --- | --- |\n| {code(text)} | after |\n\n{block(text)}\n")
    cells = [token for token in seen if token.type == "inline"]
    assert [cell.content for cell in cells if cell is not cells[2]] == ["a", "b", "after"]
    assert [child.type for child in cells[2].children] in (["code_inline"], ["text"])
    assert [token.type for token in seen[-2:]] == ["table_close", "fence"]


def test_long_tables_say_how_much_is_left():
    text = table(["a", "b"], ([str(i), "x"] for i in range(100)), 200)
    assert len(text) < 230
    rows = text.count("\n| ") - 1
    assert text.endswith(f"\n\n{100 - rows} more in report.json.")


@pytest.mark.parametrize("scale", [1, 40, 500])  # without a limit, 450,000 characters
def test_a_comment_is_never_too_long(scale):
    sample = results(text="word " * 5000)
    summaries, cases = {}, []
    for i in range(scale):
        name = f"variant_{i}_" + "x" * 60
        summaries[name] = VariantSummary(
            name,
            sample.summaries["sft"].rates,
            sample.summaries["sft"].scores,
            {"harmlessness": {f"kind_{i}": 3}},
            sample.summaries["sft"].change,
        )
        case = sample.cases[4]
        said = replace(case.response, text=f"{i} {case.response.text}")
        cases.append(replace(case, variant=name, response=said))
    text = markdown(document(replace(sample, summaries=summaries, cases=tuple(cases))))
    assert len(text) <= LIMIT
    assert text.startswith("## Not decided: ")
    assert "\n\nAlignment report of profile `sample`.\n\n> **UNINFORMATIVE**" in text


def test_many_long_answers_are_cut_from_the_end():
    sample = results(text="é" * 5000)
    cases = [
        replace(case, variant=f"v{i}", prompt=replace(case.prompt, text="q" * 5000))
        for i in range(40)
        for case in sample.cases[:2]
    ]
    text = markdown(document(replace(sample, cases=tuple(cases))))
    assert LIMIT - 2000 < len(text) <= LIMIT
    assert text.endswith("</details>\n")


def test_prompts_known_by_their_id_alone_and_scores_alone():
    sample = results()
    bare = tuple(
        replace(case, response=None, prompt=replace(case.prompt, text="")) for case in sample.cases
    )
    text = markdown(document(replace(sample, cases=bare)))
    assert "```" not in text
    assert "prompt `harm04`" in text


def test_an_untried_judge_is_said_to_be():
    text = markdown(document(results(trials={}, agreements={})))
    assert "The judge was not evaluated: its error rates are not known." in text
