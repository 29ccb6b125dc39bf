"""Links inside ideas."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.intake.links import LinkKind, find_links, is_only_links, video_id

ID = "dQw4w9WgXcQ"


@pytest.mark.parametrize(
    "url",
    [
        f"https://www.youtube.com/watch?v={ID}",
        f"http://youtube.com/watch?list=PL1&v={ID}&t=42s",
        f"https://m.youtube.com/watch?v={ID}#x",
        f"https://music.youtube.com/watch?v={ID}",
        f"https://youtu.be/{ID}?si=abc",
        f"youtu.be/{ID}",
        f"youtube.com/watch?v={ID}",
        f"www.youtube.com/shorts/{ID}",
        f"https://www.youtube.com/embed/{ID}?autoplay=1",
        f"https://www.youtube.com/live/{ID}",
        f"https://www.youtube.com/v/{ID}",
        f"https://www.youtube-nocookie.com/embed/{ID}",
        f"https://www.youtube.com/attribution_link?a=x&u=%2Fwatch%3Fv%3D{ID}%26feature%3Dshare",
        f"HTTPS://WWW.YOUTUBE.COM/watch?v={ID}",
    ],
)
def test_every_shape_of_a_youtube_address_is_known(url: str) -> None:
    (link,) = find_links(url)
    assert link.kind is LinkKind.YOUTUBE
    assert video_id(link.target) == ID
    assert is_only_links(url, (link,))


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/@someone",
        "https://www.youtube.com/playlist?list=PL123",
        "https://www.youtube.com/watch?v=short",
        "https://youtu.be/",
    ],
)
def test_a_youtube_address_of_no_video_has_no_video(url: str) -> None:
    (link,) = find_links(url)
    assert link.kind is LinkKind.YOUTUBE
    assert video_id(link.target) == ""


@pytest.mark.parametrize("url", ["https://notyoutube.com/watch?v=x", "https://youtube.com.evil.org/watch"])
def test_a_host_that_only_looks_like_youtube_is_a_page(url: str) -> None:
    assert find_links(url)[0].kind is LinkKind.PAGE


@pytest.mark.parametrize(
    ("text", "kind", "target", "only"),
    [
        ("https://a.org/x.pdf", LinkKind.PDF, "https://a.org/x.pdf", True),
        ("https://a.org/X.PDF?v=2", LinkKind.PDF, "https://a.org/X.PDF?v=2", True),
        ("<https://a.org/x>", LinkKind.PAGE, "https://a.org/x", True),
        ("[The rules](https://a.org/x)", LinkKind.PAGE, "https://a.org/x", True),
        ("- https://a.org/x.", LinkKind.PAGE, "https://a.org/x", True),
        ("www.a.org/x", LinkKind.PAGE, "https://www.a.org/x", True),
        ("a.org/rules?x=1", LinkKind.PAGE, "https://a.org/rules?x=1", True),
        ("https://en.wikipedia.org/wiki/Momentum_(finance)", LinkKind.PAGE, None, True),
        ("Buy as (https://a.org/x) says, on BTC", LinkKind.PAGE, "https://a.org/x", False),
        ("* a.org/buy-low", LinkKind.PAGE, "https://a.org/buy-low", True),
        ("1. a.org/buy-low", LinkKind.PAGE, "https://a.org/buy-low", True),
        ("<a.org/buy-low>", LinkKind.PAGE, "https://a.org/buy-low", True),
        ("//a.org/buy-low", LinkKind.PAGE, "https://a.org/buy-low", True),
        ("https:/a.org/buy-low", LinkKind.PAGE, "https:/a.org/buy-low", True),
        ("localhost:80/buy-low", LinkKind.PAGE, "https://localhost:80/buy-low", True),
        ("10.0.0.1/buy-low", LinkKind.PAGE, "https://10.0.0.1/buy-low", True),
        (
            "\u043f\u0440\u0438.\u0440\u0444/buy-low",
            LinkKind.PAGE,
            "https://\u043f\u0440\u0438.\u0440\u0444/buy-low",
            True,
        ),
        ("ftp://a.org/x", LinkKind.PAGE, "ftp://a.org/x", True),
        ("file:///etc/passwd", LinkKind.PAGE, "file:///etc/passwd", True),
        ("papers/momentum.pdf", LinkKind.FILE, "papers/momentum.pdf", True),
        ("/home/me/my papers/momentum.pdf", LinkKind.FILE, "/home/me/my papers/momentum.pdf", True),
        ('"my paper.pdf"', LinkKind.FILE, "my paper.pdf", True),
        ("Test the rules of papers/momentum.pdf, daily", LinkKind.FILE, "papers/momentum.pdf", False),
        ('Test "the old one.pdf" on BTC', LinkKind.FILE, "the old one.pdf", False),
    ],
)
def test_links_are_found_as_they_are_written(
    text: str, kind: LinkKind, target: str | None, only: bool
) -> None:
    links = find_links(text)
    assert [(link.kind, link.target) for link in links] == [(kind, target or text)]
    assert is_only_links(text, links) is only


@pytest.mark.parametrize(
    "text",
    [
        "Buy when RSI/MACD turn up, e.g. at 2.5x/3x volume",
        "exit on a 2:1 risk-reward ratio.",
        "Buy if close > SMA(50) and/or volume.rising",
        "mail me@youtube.com for more",
        "save the chart as .pdf",
    ],
)
def test_an_idea_without_a_link_has_none(text: str) -> None:
    assert find_links(text) == ()


def test_the_same_link_twice_is_read_once() -> None:
    assert len(find_links("https://a.org/x and again https://a.org/x")) == 1


@given(st.text(max_size=80))
def test_any_text_can_be_looked_through(text: str) -> None:
    for link in find_links(text):
        assert 0 <= link.start < link.end <= len(text)
        assert text[link.start : link.end] in link.target
        if link.kind is LinkKind.YOUTUBE:
            video_id(link.target)
