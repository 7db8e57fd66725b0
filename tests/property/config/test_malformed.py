"""Whatever is put anywhere into a good profile, it is accepted, or refused in one line of ours."""

import copy
import unicodedata

import pytest
import tomlkit
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from alignment.config.layers import BUILT_IN, resolve
from alignment.errors import AlignmentError
from alignment.files.foreign import parse_toml
from alignment.plugin.host import plain
from alignment.plugin.session import Options, Session
from support.malformed import PROFILE, RECORDED, project

GOOD = {
    "asked": parse_toml(PROFILE),
    "told": parse_toml(RECORDED),
    "tiny": parse_toml((BUILT_IN / "tiny.toml").read_text()),
}
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ("", ".", "..", "/", "/dev/zero", "~", "~nobody-here", "judge", "CAS", "*repeats", "nul")
    ),
    st.sampled_from(("__proto__", "hh", "tiny", "base", "echo", "auto", "a" * 300, "\0", "\u202e")),
)
KEYS = st.one_of(
    TEXTS, st.sampled_from(("model", "null", "recorded", "stages", "endpoint", "source", "sample"))
)
PLAIN = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.dates(),
    st.datetimes(),
    st.times(),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


def places(value, path=()):
    """The path of everything in a profile, the profile itself left out."""
    children = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        children = enumerate(value)
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


@st.composite
def mutated(draw):
    """A good profile in which up to three things are replaced, taken out or added."""
    name = draw(st.sampled_from(sorted(GOOD)))
    profile = copy.deepcopy(GOOD[name])
    for _ in range(draw(st.integers(1, 3))):
        known = list(places(profile))
        assume(known)
        *above, last = draw(st.sampled_from(known))
        holder = profile
        for key in above:
            holder = holder[key]
        what = draw(st.sampled_from(("replace", "replace", "remove", "add")))
        if what == "remove":
            del holder[last]
        elif what == "add" and isinstance(holder, dict):
            holder[draw(KEYS)] = draw(VALUES)
        else:
            holder[last] = draw(VALUES)
    return profile


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return project(tmp_path_factory.mktemp("project"))


def refusal(check):
    """What `check` was refused with; empty where it was not. Errors of others go through."""
    try:
        check()
    except AlignmentError as error:
        return plain(error)
    return ""


def is_one_line(text):
    """Whether a text is a line that can be shown, of no more than fits with what is before it."""
    kinds = {unicodedata.category(each) for each in text}
    return len(text) <= 490 and not kinds & {"Cc", "Cs", "Zl", "Zp"}


FEW = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
MANY = settings(FEW, max_examples=1000)
OPTIONS = (
    st.lists(
        st.one_of(
            st.text(max_size=40),
            st.builds(
                "{}={}".format,
                st.sampled_from([".".join(map(str, path)) for path in places(GOOD["tiny"])]) | KEYS,
                st.text(max_size=30) | st.sampled_from(("nan", "[", "{", "1e999", "''", "{a=1}")),
            ),
        ),
        max_size=3,
    ),
    st.lists(st.text(max_size=20) | st.builds("{}={}".format, KEYS, TEXTS), max_size=2),
    st.none() | TEXTS | st.sampled_from(("asked.toml", "told.toml", "tiny")),
)


def refusal_of_profile(folder, monkeypatch, profile):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    (folder / "mutated.toml").write_text(tomlkit.dumps(profile), encoding="utf-8", newline="\n")
    options = Options(root=folder, report=folder / "reports", profile="mutated.toml", store="store")
    session = Session(options)
    said = refusal(session.check)
    if "study" in vars(session):
        session.study.store.close()
    return said


def refusal_of_options(folder, monkeypatch, assignments, variants, profile):
    monkeypatch.chdir(folder)
    return refusal(
        lambda: resolve(folder, selected=profile, variants=variants, assignments=assignments)
    )


@given(mutated())
@FEW
def test_a_profile_is_accepted_or_refused_in_one_line(folder, monkeypatch, profile):
    assert is_one_line(refusal_of_profile(folder, monkeypatch, profile))


@given(*OPTIONS)
@FEW
def test_so_are_options(folder, monkeypatch, assignments, variants, profile):
    said = refusal_of_options(folder, monkeypatch, assignments, variants, profile)
    assert is_one_line(said)


@pytest.mark.slow
@given(mutated())
@MANY
def test_thousands_of_profiles(folder, monkeypatch, profile):
    assert is_one_line(refusal_of_profile(folder, monkeypatch, profile))


@pytest.mark.slow
@given(*OPTIONS)
@MANY
def test_thousands_of_options(folder, monkeypatch, assignments, variants, profile):
    said = refusal_of_options(folder, monkeypatch, assignments, variants, profile)
    assert is_one_line(said)
