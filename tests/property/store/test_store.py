"""What must hold of the store for any value, any key and any order of batches."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignment.store import Store, content_key

TEXT = st.text(st.characters(codec=None, exclude_categories=()))
"""Any text, lone surrogates and NUL among it: some tokenizers decode to both."""

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=10
)
KEYS = st.text("0123456789abcdef", min_size=1, max_size=4)


@pytest.fixture(scope="module")
def store():
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store._db.execute("PRAGMA synchronous = OFF")  # hundreds of batches, none of them dear
        yield store


def clear(store):
    store._db.execute("DELETE FROM entries")


@given(VALUES)
def test_any_json_value_comes_back(store, value):
    clear(store)
    store.put("kind", {"key": value})
    assert store.get("kind", ["key"]) == {"key": value}


def test_surrogates_and_nul_come_back(store):
    clear(store)
    store.put("kind", {"key": "a\ud800b\0c\udfff"})
    assert store.get("kind", ["key"]) == {"key": "a\ud800b\0c\udfff"}


@given(st.lists(st.dictionaries(KEYS, st.integers())))
def test_the_first_value_of_a_key_stays(store, batches):
    clear(store)
    first = {}
    for batch in batches:
        store.put("kind", batch)
        first = batch | first
    assert store.get("kind", [*first, "missing"]) == first


@given(st.dictionaries(KEYS, st.integers()), st.lists(KEYS))
def test_what_is_asked_is_what_is_given(store, values, asked):
    clear(store)
    store.put("kind", values)
    assert store.get("kind", asked) == {key: values[key] for key in asked if key in values}


@given(st.dictionaries(TEXT, VALUES, min_size=2))
def test_keys_do_not_depend_on_the_order_of_a_dict(value):
    backwards = dict(reversed(value.items()))
    assert content_key("kind", value) == content_key("kind", backwards)


@given(VALUES, VALUES)
def test_keys_are_equal_only_for_equal_content(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (content_key(one) == content_key(other)) == same


@given(VALUES)
def test_a_key_survives_a_round_trip_through_json(value):
    assert content_key(value) == content_key(json.loads(json.dumps(value)))
