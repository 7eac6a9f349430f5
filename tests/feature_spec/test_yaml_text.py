"""One reader for specs in YAML and in JSON."""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feature_spec.yaml_text import YamlTextError, read_yaml

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def bits(number):
    return struct.pack("<d", number)


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=4))
@example({"emoji": "\U0001f600", "del": "\x7f", "line": "\u2028", "long" * 500: 1e-05})
@example({"zero": -0.0, "subnormal": 5e-324, "huge": 1.7976931348623157e308, "whole": 2**53 + 1})
def test_json_is_read_as_json(content):
    for text in (json.dumps(content), json.dumps(content, ensure_ascii=False, indent=1)):
        try:
            text.encode()
        except UnicodeEncodeError:  # half an emoji, which no file can hold
            continue
        assert repr(read_yaml(text, "s")) == repr(content)
        assert repr(read_yaml(f"# A note.\n# Another.\n{text}", "s")) == repr(content)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_the_same_in_every_notation_of_yaml(number):
    notations = [repr(number), f"{number:.17e}", f"{number:.17E}", f"{number:+.17e}"]
    for text in notations:
        found = read_yaml(f"a: {text}", "s")["a"]
        assert isinstance(found, float)
        assert bits(found) == bits(number)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("1e+5", 1e5),
        ("-1e-05", -1e-05),
        ("1.e3", 1e3),
        (".5e1", 5.0),
        ("1_000.5", 1000.5),
        ("1_000", 1000),
        ("0x1F", 31),
        ("-0", 0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
    ],
)
def test_numbers_of_yaml_1_2_are_numbers(text, value):
    found = read_yaml(f"a: {text}", "s")["a"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "text", ["010", "007", "1:30", "12:30:45", "1e", "e5", "1e5x", ".", "1.2.3"]
)
def test_what_is_no_number_in_yaml_1_2_stays_a_text(text):
    assert read_yaml(f"a: {text}", "s") == {"a": text}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "key 'c' is given twice"),
        ("a: 1\na: 2", "key 'a' is given twice"),
        ("{a: 1, a: 2}", "key 'a' is given twice"),
        ("a: 2022-02-30", "day is out of range"),
        ("a: " + "9" * 5000, "4300 digits"),
        ("? [a, b]\n: 1", "unhashable key"),
        ("[" * 3000, "recursion"),
        ('{"a": ', "expected the node content"),
    ],
)
def test_a_text_that_cannot_be_read_is_named_with_the_reason(text, said):
    with pytest.raises(YamlTextError, match=said):
        read_yaml(text, "my.yaml")
