"""Transcripts of YouTube videos, over connections of our own."""

from __future__ import annotations

import importlib
import io
import time
from types import ModuleType
from typing import Any

from rbi.intake.failures import DocumentFailed, Trouble
from rbi.intake.fetching import LONGEST_FETCH_S, Fetch, Request
from rbi.intake.reading import ReadText, finished

_LANGUAGES = ("en", "en-US", "en-GB")
_TROUBLES = {
    "TranscriptsDisabled": (Trouble.NO_TRANSCRIPT, "the video has no transcript: subtitles are disabled"),
    "NoTranscriptFound": (Trouble.NO_TRANSCRIPT, "the video has no transcript"),
    "VideoUnavailable": (Trouble.UNAVAILABLE, "the video is not available"),
    "InvalidVideoId": (Trouble.UNAVAILABLE, "there is no such video"),
    "VideoUnplayable": (Trouble.UNAVAILABLE, "the video cannot be played"),
    "AgeRestricted": (Trouble.UNAVAILABLE, "the video asks for the viewer's age"),
    "RequestBlocked": (Trouble.BLOCKED, "YouTube refuses requests from this network"),
    "IpBlocked": (Trouble.BLOCKED, "YouTube refuses requests from this network"),
    "PoTokenRequired": (Trouble.NO_TRANSCRIPT, "YouTube gives this transcript to browsers only"),
    "YouTubeRequestFailed": (Trouble.SERVER, "YouTube answered with an error"),
}


def transcript(video: str, fetch: Fetch, *, seconds: float = LONGEST_FETCH_S) -> ReadText:
    """What is said in a video: in English if there is that, else in the first language there is.

    A transcript that somebody wrote comes before one that was generated. All requests together take at most
    ``seconds``. Raises `DocumentFailed`.
    """
    where = f"https://youtu.be/{video}"
    library = _library("youtube_transcript_api", where)
    session = _session(fetch, time.monotonic() + seconds, where)
    try:
        offered = library.YouTubeTranscriptApi(http_client=session).list(video)
        chosen = _chosen(list(offered), where)
        said = "\n".join(snippet.text for snippet in chosen.fetch())
    except DocumentFailed:
        raise
    except Exception as error:  # the library promises no list of what it raises
        raise _failure(error, where) from error
    notes = ["generated from the sound"] if chosen.is_generated else []
    if chosen.language_code not in _LANGUAGES:
        notes.append(f"in {chosen.language}, as there is none in English")
    return finished(said, "", tuple(notes), where)


def _chosen(offered: list[Any], where: str) -> Any:
    if not offered:
        raise DocumentFailed(Trouble.NO_TRANSCRIPT, "the video has no transcript", where)
    return next((one for one in offered if one.language_code in _LANGUAGES), offered[0])


def _failure(error: Exception, where: str) -> DocumentFailed:
    for kind in type(error).__mro__:
        if kind.__name__ in _TROUBLES:
            return DocumentFailed(*_TROUBLES[kind.__name__], where)
    what = f"YouTube's answer is not understood ({type(error).__name__})"
    return DocumentFailed(Trouble.BROKEN_ANSWER, what, where)


def _library(name: str, where: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise DocumentFailed(
            Trouble.NOT_INSTALLED, "reading it needs youtube-transcript-api", where
        ) from None


def _session(fetch: Fetch, end: float, where: str) -> Any:
    """A session of the library's HTTP client whose requests all go through ``fetch``."""
    requests, urllib3 = _library("requests", where), _library("urllib3", where)
    adapters = _library("requests.adapters", where)

    class Adapter(adapters.HTTPAdapter):  # type: ignore[misc,name-defined]
        """Sends a prepared request."""

        def send(self, request: Any, *_: object, **__: object) -> Any:
            """See `requests.adapters.HTTPAdapter.send`."""
            left = end - time.monotonic()
            if left <= 0:
                raise DocumentFailed(Trouble.TOO_SLOW, "YouTube did not answer in time", where)
            body = request.body or b""
            answer = fetch.exchange(
                Request(
                    url=request.url,
                    method=request.method,
                    headers=tuple(request.headers.items()),
                    body=body if isinstance(body, bytes) else body.encode(),
                ),
                left,
            )
            headers = {name: value for name, value in answer.headers.items() if name != "content-encoding"}
            response = urllib3.HTTPResponse(
                io.BytesIO(answer.content), headers, answer.status, preload_content=False
            )
            return self.build_response(request, response)

    session = requests.Session()
    session.trust_env = False
    session.mount("https://", Adapter())
    session.mount("http://", Adapter())
    return session
