"""Transcripts, from a server on this machine that answers as YouTube does."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from typing import Any

import pytest
from raw_http import Got, Raw, RawServer

from rbi.intake.failures import DocumentFailed, Trouble
from rbi.intake.fetching import Answer, Fetched, Fetcher, Request
from rbi.intake.youtube import transcript

VIDEO = "dQw4w9WgXcQ"
SAID = (
    b'<?xml version="1.0"?><transcript><text start="0" dur="1">Buy &amp;amp; hold</text>'
    b'<text start="1">then sell</text></transcript>'
)


class Detour:
    """Sends what is meant for YouTube to a server on this machine."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._fetcher = Fetcher(allowed=(ipaddress.IPv4Network("127.0.0.0/8"),))

    def get(self, url: str) -> Fetched:
        return self._fetcher.get(url)

    def exchange(self, request: Request, seconds: float) -> Answer:
        assert request.url.startswith("https://www.youtube.com/")
        url = self._url + request.url.removeprefix("https://www.youtube.com")
        return self._fetcher.exchange(Request(url, request.method, request.headers, request.body), seconds)


def track(language: str, name: str, kind: str = "") -> dict[str, Any]:
    return {
        "baseUrl": f"https://www.youtube.com/api/timedtext?lang={language}",
        "name": {"runs": [{"text": name}]},
        "languageCode": language,
        **({"kind": kind} if kind else {}),
    }


def youtube(
    player: Any, *, watch: str = '"INNERTUBE_API_KEY": "key1"', status: int = 200
) -> Callable[[Got], Raw]:
    def answer(got: Got) -> Raw:
        if got.path.startswith("/watch"):
            return Raw(watch.encode(), status, kind="text/html; charset=utf-8")
        if got.path.startswith("/youtubei"):
            return Raw(json.dumps(player).encode(), kind="application/json")
        return Raw(SAID, kind="text/xml; charset=utf-8")

    return answer


def playable(*tracks: dict[str, Any]) -> dict[str, Any]:
    captions = {"captionTracks": list(tracks), "translationLanguages": []}
    return {
        "playabilityStatus": {"status": "OK"},
        "captions": {"playerCaptionsTracklistRenderer": captions},
    }


def unplayable(status: str, reason: str) -> dict[str, Any]:
    return {"playabilityStatus": {"status": status, "reason": reason}}


def test_a_written_english_transcript_comes_first() -> None:
    player = playable(track("de", "German"), track("en", "English (auto)", "asr"), track("en", "English"))
    with RawServer(youtube(player)) as server:
        found = transcript(VIDEO, Detour(server.url))
    assert found.text == "Buy & hold\nthen sell"
    assert found.notes == ()
    assert server.got[-1].path.endswith("lang=en")


def test_another_language_is_better_than_none_and_said() -> None:
    with RawServer(youtube(playable(track("de", "German", "asr")))) as server:
        found = transcript(VIDEO, Detour(server.url))
    assert found.notes == ("generated from the sound", "in German, as there is none in English")


@pytest.mark.parametrize(
    ("answers", "trouble", "retryable"),
    [
        (youtube({"playabilityStatus": {"status": "OK"}}), Trouble.NO_TRANSCRIPT, False),
        (youtube(playable()), Trouble.NO_TRANSCRIPT, False),
        (youtube(unplayable("ERROR", "This video is unavailable")), Trouble.UNAVAILABLE, False),
        (
            youtube(unplayable("LOGIN_REQUIRED", "This video may be inappropriate for some users.")),
            Trouble.UNAVAILABLE,
            False,
        ),
        (youtube(unplayable("LOGIN_REQUIRED", "Sign in to confirm you’re not a bot")), Trouble.BLOCKED, True),  # noqa: RUF001
        (youtube({}, watch='<div class="g-recaptcha">'), Trouble.BLOCKED, True),
        (youtube({}, status=429), Trouble.BLOCKED, True),
        (youtube({}, status=500), Trouble.SERVER, True),
        (youtube({}, watch="something else"), Trouble.BROKEN_ANSWER, True),
        (youtube([1]), Trouble.BROKEN_ANSWER, True),
    ],
    ids=["disabled", "none", "unavailable", "age", "bot", "captcha", "429", "500", "new layout", "new API"],
)
def test_why_there_is_no_transcript_is_said(
    answers: Callable[[Got], Raw], trouble: Trouble, retryable: bool
) -> None:
    with RawServer(answers) as server, pytest.raises(DocumentFailed) as caught:
        transcript(VIDEO, Detour(server.url))
    assert (caught.value.trouble, caught.value.retryable) == (trouble, retryable)
    assert VIDEO in caught.value.where


def test_all_requests_together_have_one_time_limit() -> None:
    with (
        RawServer(youtube(playable(track("en", "English")))) as server,
        pytest.raises(DocumentFailed) as caught,
    ):
        transcript(VIDEO, Detour(server.url), seconds=0)
    assert caught.value.trouble is Trouble.TOO_SLOW
    assert server.got == []
