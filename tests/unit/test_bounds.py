"""Whatever number, name or list a profile may ever hold has an end: read off the schema."""

from typing import get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic.fields import FieldInfo

from alignment.config.profile import Profile
from alignment.config.tables import LONGEST_NAME, Table


def flat(metadata):
    """The constraints among annotations, those within pydantic's `Field` too."""
    for each in metadata:
        yield from flat(each.metadata) if isinstance(each, FieldInfo) else [each]


def leaves(kind, where, limits=()):
    """(place, type, constraints) of all that a type may hold, tables looked into once."""
    while hasattr(kind, "__metadata__"):
        kind, limits = kind.__origin__, (*limits, *flat(kind.__metadata__))
    if isinstance(kind, type) and issubclass(kind, Table):
        yield where, kind, limits
        return
    inner = get_args(kind)
    if get_origin(kind) in {dict, tuple, list}:
        yield where, get_origin(kind), limits
        limits = ()
    if not inner or all(not isinstance(each, type) and not get_args(each) for each in inner):
        yield where, kind, limits
    for each in inner:
        yield from leaves(each, where, limits)


def schema(kind=Profile, where="profile", seen=None):
    seen = set() if seen is None else seen
    if kind in seen:
        return
    seen.add(kind)
    for name, field in kind.model_fields.items():
        for place, leaf, limits in leaves(
            field.annotation, f"{where}.{name}", tuple(flat(field.metadata))
        ):
            yield place, leaf, limits
            if isinstance(leaf, type) and issubclass(leaf, Table):
                yield from schema(leaf, leaf.__name__, seen)


LEAVES = list(schema())


def test_the_whole_schema_is_looked_at():
    tables = {leaf.__name__ for _, leaf, _ in LEAVES if isinstance(leaf, type)}
    assert {
        "Axis",
        "Variant",
        "JudgeConfig",
        "SecondJudge",
        "Endpoint",
        "Stage",
        "PassCriterion",
    } <= tables
    assert sum(leaf is float for _, leaf, _ in LEAVES) > 10
    assert sum(leaf is int for _, leaf, _ in LEAVES) > 20


@pytest.mark.parametrize("place", sorted({place for place, leaf, _ in LEAVES if leaf is int}))
def test_every_count_has_two_ends(place):
    for where, leaf, limits in LEAVES:
        if where == place and leaf is int:
            kinds = {type(each) for each in limits}
            assert kinds & {Le, Lt}
            assert kinds & {Ge, Gt}


def test_every_number_is_finite():
    """In all tables alike: it is said where they are defined."""
    assert Table.model_config["allow_inf_nan"] is False
    for kind in {
        leaf for _, leaf, _ in LEAVES if isinstance(leaf, type) and issubclass(leaf, Table)
    }:
        assert kind.model_config["allow_inf_nan"] is False
        assert kind.model_config["strict"] is True


def test_every_list_and_table_of_names_has_an_end():
    endless = {
        place
        for place, leaf, limits in LEAVES
        if leaf in {dict, tuple} and not any(isinstance(each, MaxLen) for each in limits)
    }
    settings = {"Stage.args", "Stage.lora", "Variant.architecture", "JudgeConfig.architecture"}
    settings |= {"Variant.quantization", "SecondJudge.architecture", "Recipe.architecture"}
    settings |= {f"{table}.arguments" for table in ("Variant", "JudgeConfig", "SecondJudge")}
    pairs = {"JudgeEndpoint.scale"}
    by_axis = {"Variant.recorded"}  # whose keys must be axes
    assert endless <= settings | pairs | by_axis


def test_a_name_fits_a_file_with_all_that_is_put_around_it():
    assert len(f".{'n' * LONGEST_NAME}.json.draft".encode()) < 255
