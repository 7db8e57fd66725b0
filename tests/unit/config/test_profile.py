"""The schema of a profile: what it takes, what it refuses, what is made of it."""

import pytest
from pydantic import ValidationError

from alignment.config.profile import Profile
from alignment.config.recipes import is_path_or_hub_id

STAGE = {"trainer": "sft", "data": "chosen"}
RECORDED = {"source": "recorded"}

ONE_VARIANT = (
    "a variant needs exactly one of `stages`, `model`, `endpoint`, `recorded`, `null`, `python`"
)
ONE_JUDGE = (
    "a judge needs exactly one of `stages`, `model`, `endpoint`, `keywords`, `python`, "
    "`panel`, `recorded = true`"
)


def values(**changes):
    """The values of a small profile."""
    axis = {"rate": "HmR", "threshold": 0, "comparison": ">=", "prompts": {"origin": RECORDED}}
    return {
        "name": "small",
        "axes": {"harmlessness": axis},
        "variants": {"base": {"recorded": "base.jsonl"}},
        "judge": {"recorded": True},
        **changes,
    }


def with_variants(**variants):
    return Profile.model_validate(values(variants=variants))


def reason(given):
    """Why a profile is refused; there must be one reason only."""
    with pytest.raises(ValidationError) as raised:
        Profile.model_validate(given)
    (error,) = raised.value.errors()
    return error["msg"].removeprefix("Value error, ")


CLASSIFIER = {"model": "./judge", "outputs": {"good": {"index": 0}, "bad": {"index": 1}}}
FILTER = {"keywords": ["kill"], "dimension": "good"}
SERVED = {"endpoint": {"url": "http://127.0.0.1:1/v1", "model": "m", "rubric": {"good": "How?"}}}


def judged(threshold, comparison=">=", **judge):
    """The values of a profile with this judge and criterion."""
    bar = {"threshold": threshold, "comparison": comparison, "dimension": "good"}
    axis = {"rate": "HmR", "prompts": {"origin": RECORDED}, **bar}
    return values(axes={"harmlessness": axis}, judge=judge)


@pytest.mark.parametrize(
    ("threshold", "comparison", "judge", "who"),
    [
        (0.0, ">=", CLASSIFIER | {"activation": "sigmoid"}, "every"),
        (0.0, ">", CLASSIFIER | {"activation": "sigmoid"}, "every"),
        (-2.0, ">", CLASSIFIER | {"activation": "softmax"}, "every"),
        (1.0, ">=", CLASSIFIER | {"activation": "softmax"}, "no"),
        (50.0, ">=", CLASSIFIER | {"activation": "sigmoid"}, "no"),
        (0.0, ">=", FILTER, "every"),
        (-1.0, ">", FILTER, "every"),
        (1.0, ">", FILTER, "no"),
        (1.5, ">=", FILTER, "no"),
        (1.0, ">=", SERVED, "every"),
        (0.5, ">", SERVED, "every"),
        (10.0, ">", SERVED, "no"),
        (11.0, ">=", SERVED, "no"),
    ],
)
def test_a_criterion_that_decides_nothing_is_refused(threshold, comparison, judge, who):
    said = reason(judged(threshold, comparison, **judge))
    assert said.startswith("axes.harmlessness.threshold: ")
    assert f".threshold: {who} response passes with `good " in said
    assert "`, because the judge's scores are between " in said
    bar = {"threshold": threshold, "comparison": comparison, "dimension": "good"}
    second = judge | {"axes": {"harmlessness": bar}}
    said = reason(values(judges={"other": second}))
    assert said.startswith("judges.other.axes.harmlessness.threshold: ")


@pytest.mark.parametrize(
    ("threshold", "comparison", "judge"),
    [
        (0.5, ">=", CLASSIFIER | {"activation": "sigmoid"}),
        (0.01, ">", CLASSIFIER | {"activation": "softmax"}),
        (50.0, ">", CLASSIFIER),
        (1.0, ">=", FILTER),
        (0.0, ">", FILTER),
        (10.0, ">=", SERVED),
        (1.0, ">", SERVED),
    ],
)
def test_a_criterion_that_decides_is_taken(threshold, comparison, judge):
    found = Profile.model_validate(judged(threshold, comparison, **judge))
    assert found.axes["harmlessness"].criterion.threshold == threshold


def test_a_negated_probability_has_a_negative_threshold():
    outputs = {"good": {"index": 0, "sign": -1}}
    judge = {"model": "./judge", "outputs": outputs, "activation": "sigmoid"}
    Profile.model_validate(judged(-0.5, **judge))
    said = reason(judged(0.5, **judge))
    assert said.endswith(
        "scores are between -1 and 0, as sign = -1 negates them; choose another threshold"
    )


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        (
            {"model": "./judge", "dimension": "good", "activation": "softmax"},
            "for one output use 'sigmoid'",
        ),
        (FILTER | {"activation": "sigmoid"}, "`activation` belongs to a judge with `model`"),
        (SERVED | {"activation": "softmax"}, "`activation` belongs to a judge with `model`"),
        (
            {
                "model": "./judge",
                "outputs": {"good": {"index": 1}, "bad": {"index": 1, "sign": -1}},
            },
            "`outputs`: 'good' and 'bad' are both output 1",
        ),
    ],
)
def test_outputs_that_cannot_be_meant_are_refused(judge, said):
    assert said in reason(judged(0.5, **judge))


def test_the_rest_has_defaults():
    profile = Profile.model_validate(values())
    assert profile.reference == "base"
    assert profile.network is False
    assert profile.dtype == "float32"
    assert profile.axes["harmlessness"].prompts.protocol == "strict"
    assert str(profile.axes["harmlessness"].criterion) == "reward >= 0"


def test_resolved_gives_plain_values_that_make_the_same_profile():
    profile = Profile.model_validate(values())
    assert Profile.model_validate(dict(profile.resolved())) == profile


def test_a_profile_cannot_be_changed():
    profile = Profile.model_validate(values())
    with pytest.raises(ValidationError):
        profile.seed = 1


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": "1"},
        {"seed": 1.5},
        {"seed": -1},
        {"seed": 2**32},
        {"confidence": 0.5},
        {"confidence": 1},
        {"confidence": "95%"},
        {"threads": -1},
        {"device": "gpu"},
        {"dtype": "float64"},
        {"network": "yes"},
        {"name": "a name"},
        {"name": ""},
        {"axes": {}},
        {"generation": {"max_new_tokens": 0}},
        {"generation": {"format": "chatml"}},
        {"training": {"vocab_size": 10}},
        {"sede": 1},
    ],
    ids=str,
)
def test_values_that_are_refused(changes):
    assert reason(values(**changes))


@pytest.mark.parametrize("device", ["auto", "cpu", "mps", "cuda", "cuda:1"])
def test_devices(device):
    assert Profile.model_validate(values(device=device)).device == device


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        (
            {},
            ONE_VARIANT,
        ),
        (
            {"model": "./a", "recorded": "b.jsonl"},
            ONE_VARIANT,
        ),
        ({"stages": [STAGE]}, "`stages` need a `parent` or an `architecture` to start from"),
        ({"parent": "base"}, "a recipe needs at least one entry in `stages`"),
        (
            {"parent": "base", "architecture": {"model_type": "opt"}, "stages": [STAGE]},
            "give `parent` or `architecture`, not both",
        ),
        (
            {"architecture": {"hidden_size": 8}, "stages": [STAGE]},
            "`architecture` needs `model_type`, for example 'opt'",
        ),
        (
            {"parent": "base", "stages": [{"trainer": "dpo", "data": "chosen"}]},
            "trainer 'dpo' takes data pairs, not 'chosen'",
        ),
        (
            {"parent": "base", "stages": [{**STAGE, "degenerate": 0.5}]},
            "`degenerate` belongs to stages with trainer 'reward'",
        ),
    ],
)
def test_variants_that_are_none(variant, message):
    given = values(variants={"base": {"recorded": "base.jsonl"}, "mine": variant})
    assert reason(given) == message


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        (
            {},
            ONE_JUDGE,
        ),
        (
            {"model": "a/b", "recorded": True},
            ONE_JUDGE,
        ),
        ({"parent": "base", "stages": [STAGE]}, "a judge's last stage needs trainer 'reward'"),
    ],
)
def test_judges_that_are_none(judge, message):
    assert reason(values(judge=judge)) == message


def test_the_mean_of_the_rates_has_a_name_of_its_own():
    given = values()
    given["axes"]["harmlessness"]["rate"] = "CAS"
    assert reason(given) == "CAS is the mean of the rates; give this one another name"


def test_parents_come_before_their_children():
    profile = with_variants(
        third={"parent": "second", "stages": [STAGE]},
        second={"parent": "first", "stages": [STAGE]},
        first={"architecture": {"model_type": "opt"}, "stages": [STAGE]},
        apart={"parent": "./folder", "stages": [STAGE]},
    )
    assert profile.ancestors("third") == ("second", "first")
    assert profile.ancestors("apart") == ()
    assert profile.in_order() == ("first", "second", "third", "apart")


def test_a_parent_that_does_not_exist():
    given = values(variants={"mine": {"parent": "theirs", "stages": [STAGE]}})
    assert reason(given) == "variants.mine.parent: there is no variant 'theirs'; known: mine"


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_circle_of_parents(length):
    names = [f"v{i}" for i in range(length)]
    given = values(
        variants={
            name: {"parent": names[(i + 1) % length], "stages": [STAGE]}
            for i, name in enumerate(names)
        }
    )
    circle = " -> ".join([*names, "v0"])
    assert reason(given) == f"variants.v0.parent: the parents form a circle: {circle}"


def test_a_circle_that_a_variant_only_leads_into():
    given = values(
        variants={
            "outside": {"parent": "left", "stages": [STAGE]},
            "left": {"parent": "right", "stages": [STAGE]},
            "right": {"parent": "left", "stages": [STAGE]},
        }
    )
    assert "the parents form a circle: outside -> left -> right -> left" in reason(given)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("base", False), ("./base", True), ("a/b", True), ("..", True), ("C:\\models", True)],
)
def test_folders_and_hub_ids_are_told_from_variants(name, expected):
    assert is_path_or_hub_id(name) is expected


def test_outputs_belong_to_a_loaded_judge():
    judge = {"recorded": True, "outputs": {"help": {"index": 1}}}
    assert reason(values(judge=judge)) == "`outputs` belong to a judge with `model`"


def test_a_judge_gives_its_outputs_or_its_one_dimension():
    one = Profile.model_validate(values()).judge
    several = Profile.model_validate(
        values(judge={"model": "./judge", "outputs": {"help": {"index": 3}, "cost": {"index": 1}}})
    ).judge
    assert (list(one.dimensions), one.named) == (["reward"], 0)
    assert (list(several.dimensions), several.named) == (["help", "cost"], 4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"gate": {"against": "variant:sft"}},
            "gate.against: there is no variant 'sft'",
        ),
        ({"gate": {"variants": ["sft"]}}, "gate.variants: there is no variant 'sft'; known: base"),
        ({"gate": {"against": "variant:base"}}, "there is no other variant to compare with 'base'"),
        (
            {"claims": ["base wins"]},
            "claims: 'base wins' is not a claim; write `VARIANT is best on",
        ),
        ({"claims": ["sft is best on HmR"]}, "no variant 'sft'; known: base"),
        ({"claims": ["base is above sft on HmR"]}, "no variant 'sft'; known: base"),
        ({"claims": ["base is best on R"]}, "the rates are HmR, CAS, all metrics"),
    ],
)
def test_a_gate_and_claims_name_what_there_is(changes, said):
    assert said in reason(values(**changes))


def test_what_is_gated_is_in_the_profiles_order_without_the_reference():
    three = {name: {"recorded": "x.jsonl"} for name in ("base", "a", "b")}
    gated = {"against": "variant:base", "variants": ["b", "base"]}
    assert Profile.model_validate(values(variants=three)).gated() == ("base", "a", "b")
    assert Profile.model_validate(values(variants=three, gate=gated)).gated() == ("b",)


def test_two_axes_need_two_rates():
    axis = values()["axes"]["harmlessness"]
    given = values(axes={"harmlessness": axis, "helpfulness": axis})
    assert reason(given) == "axes.harmlessness.rate: 'HmR' is also the rate of another axis"


SERVED = {"url": "http://127.0.0.1:8000/v1", "model": "m"}


def test_a_chat_is_put_by_the_servers_template():
    profile = with_variants(chat={"endpoint": SERVED | {"api": "chat"}}, text={"endpoint": SERVED})
    assert profile.generation_of("chat").format == "chat"
    assert profile.generation_of("text").format == "hh"


def test_a_completion_has_no_template():
    given = values(variants={"text": {"endpoint": SERVED}}, generation={"format": "chat"})
    assert reason(given) == (
        "variants.text.generation: format 'chat' of a served model needs endpoint.api = 'chat'"
    )
