from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models.providers.server_events import json_values

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
events = st.lists(st.dictionaries(st.text(max_size=5), values, max_size=3), min_size=1, max_size=6)
BEFORE = ["", "event: x\n", ": a comment\n", "id: 7\nevent: x\n"]


@given(events, st.lists(st.sampled_from(BEFORE), min_size=6, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_whatever_stands_around_them_the_events_of_a_stream_are_read(
    said: list[dict[str, Any]], before: list[str], line_end: str
) -> None:
    text = "".join(f"{head}data: {json.dumps(value)}\n\n" for head, value in zip(before, said, strict=False))
    body = f"{text}data: [DONE]\n\n".replace("\n", line_end).encode()
    assert list(json_values(body)) == said


@given(events, st.data())
def test_an_event_that_was_cut_off_is_left_out_and_the_others_are_read(
    said: list[dict[str, Any]], data: st.DataObject
) -> None:
    whole = [f"data: {json.dumps(value)}\n\n" for value in said]
    last = whole[-1].rstrip("\n")
    cut = data.draw(st.integers(0, len(last) - 1))
    body = ("".join(whole[:-1]) + last[:cut]).encode()
    assert list(json_values(body)) == said[:-1]


def test_an_event_of_several_lines_is_one_value() -> None:
    assert list(json_values(b'data: {"a":\ndata: 1}\n\ndata: {"b": 2}\n\n')) == [{"a": 1}, {"b": 2}]


def test_what_is_no_json_is_said_to_be_none() -> None:
    assert list(json_values(b'data: {"a": 1}\n\ndata: {oops\n\n')) == [{"a": 1}, None]
    assert list(json_values(b"<html>")) == []
