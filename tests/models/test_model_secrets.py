from __future__ import annotations

import copy
import json
import pickle
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.secrets import Secret, public_url, redact

KEY = "sk-proj-AbCdEfGh0123456789"
keys = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=60)


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{:>40}".format, "%s".__mod__, "%r".__mod__])
def test_a_secret_is_never_printed(show) -> None:  # type: ignore[no-untyped-def]
    assert KEY not in show(Secret(KEY))
    assert "hidden" in show(Secret(KEY))


@pytest.mark.parametrize("carry", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars])
def test_a_secret_is_never_carried_off(carry) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TypeError):
        carry(Secret(KEY))


def test_a_secret_is_given_to_those_who_ask() -> None:
    assert Secret(KEY).reveal() == KEY


def test_a_digest_tells_keys_apart_without_showing_them() -> None:
    assert Secret(KEY).digest() == Secret(KEY).digest() != Secret(KEY + "x").digest()
    assert len(Secret(KEY).digest()) == 12


@given(key=keys, before=st.text(max_size=50), after=st.text(max_size=50))
def test_no_part_of_a_key_of_eight_characters_survives(key: str, before: str, after: str) -> None:
    shown = redact(before + key + after, [Secret(key)])
    shortest = min(8, len(key))
    parts = {key[i : i + shortest] for i in range(len(key) - shortest + 1)}
    kept = shown.replace("[hidden]", "\0")
    assert not any(part in kept for part in parts)


@given(text=st.text(string.ascii_lowercase + " ", max_size=200))
def test_text_without_the_key_is_left_alone(text: str) -> None:
    assert redact(text, [Secret("SK-UPPER-0123456789")]) == text


@pytest.mark.parametrize("word", ["sk-pr***6789", "sk-****", "********6789", "'sk-a**b'"])
def test_words_that_look_like_a_shortened_key_are_hidden(word: str) -> None:
    shown = redact(f"bad key {word} sent", [Secret(KEY)])
    assert "*" not in shown
    assert shown.startswith("bad key ")
    assert shown.endswith(" sent")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("https://user:pass@api.example.com:8443/v1", "https://api.example.com:8443/v1"),
        ("https://api.example.com/v1?key=abc#frag", "https://api.example.com/v1"),
        ("http://[::1", "[hidden]"),
    ],
)
def test_an_address_is_shown_without_what_may_be_a_password(url: str, shown: str) -> None:
    assert public_url(url) == shown
