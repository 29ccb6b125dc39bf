"""What a strategy writes is bounded and harmless to show."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from runners.capture import StreamCapture
from runners.untrusted_text import neutralise


@given(st.text())
def test_nothing_is_left_that_controls_hides_or_reorders(text: str) -> None:
    shown = neutralise(text)
    bad = [c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert bad == []
    assert not set(shown) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\ufeff"
    )


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert neutralise(text) == text


def test_long_text_keeps_its_ends() -> None:
    shown = neutralise("a" * 5000 + "b" * 5000, 100)
    assert shown.startswith("a" * 50)
    assert shown.endswith("b" * 50)
    assert len(shown) < 200


@given(st.lists(st.binary(max_size=50).map(lambda b: b.replace(b"\r", b"")), max_size=30), st.integers(1, 40))
def test_a_capture_keeps_the_head_and_the_tail_and_counts_the_rest(pieces: list[bytes], keep: int) -> None:
    capture = StreamCapture(keep)
    for piece in pieces:
        capture.add(piece)
    stream, captured = b"".join(pieces), capture.captured()
    assert capture.total == len(stream)
    assert captured.dropped == max(0, len(stream) - 2 * keep)
    if captured.dropped:
        assert captured.head == neutralise(stream[:keep].decode("utf-8", "replace"))
        assert captured.tail == neutralise(stream[-keep:].decode("utf-8", "replace"))
    else:
        assert captured.head == neutralise(stream.decode("utf-8", "replace"))
        assert captured.tail == ""
