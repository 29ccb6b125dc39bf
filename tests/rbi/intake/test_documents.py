"""From an idea to its brief."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pypdf
import pytest
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from rbi.intake.documents import MOST_LINKS, Brief, brief
from rbi.intake.failures import DocumentFailed, Trouble
from rbi.intake.fetching import Answer, Fetched, Kind, Request
from rbi.intake.reading import LONGEST_TEXT, cleaned

RULE = (
    "Buy when the 20-day average crosses above the 50-day average, and exit two ATR below the entry price. "
)


class Shelf:
    """Documents by their address, as if they had been fetched."""

    def __init__(self, **documents: Fetched) -> None:
        self.documents = {f"https://a.org/{name}": found for name, found in documents.items()}

    def get(self, url: str) -> Fetched:
        if url not in self.documents:
            raise DocumentFailed(Trouble.NOT_FOUND, "the server answered 404", url)
        return self.documents[url]

    def exchange(self, request: Request, seconds: float) -> Answer:
        raise DocumentFailed(Trouble.BLOCKED, f"no {request.url} in {seconds} s", request.url)


def pdf(*pages: str, title: str = "", password: str = "") -> bytes:
    writer = pypdf.PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(600, 800)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        content = DecodedStreamObject()
        content.set_data(f"BT /F1 9 Tf 20 700 Td ({text}) Tj ET".encode("latin-1"))
        page[NameObject("/Contents")] = writer._add_object(content)
    if title:
        writer.add_metadata({"/Title": title})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def html(body: str, head: str = "<title>Notes</title>") -> Fetched:
    content = f"<html><head>{head}</head><body>{body}</body></html>".encode()
    return Fetched("https://a.org/page", Kind.HTML, "", content)


def article(text: str) -> str:
    return (
        f"<nav><a href=/>Home</a></nav><article><h1>Cross</h1><p>{text}</p></article><footer>Imprint</footer>"
    )


def fails(text: str, shelf: Shelf, base: Path = Path()) -> DocumentFailed:
    with pytest.raises(DocumentFailed) as caught:
        brief(text, shelf, base=base)
    assert caught.value.fix
    return caught.value


def test_plain_text_is_its_own_brief() -> None:
    assert brief("Buy low,\n sell high", Shelf()) == Brief("Buy low,\n sell high")


def test_a_link_becomes_the_main_text_of_its_page() -> None:
    found = brief("https://a.org/page", Shelf(page=html(article(RULE * 4))))
    assert found.text.count("20-day average") == 4
    assert "Home" not in found.text
    assert "a.org" not in found.text
    assert (found.source, found.title) == ("https://a.org/page", "Notes")


def test_text_with_a_link_keeps_its_text_and_gets_the_document() -> None:
    found = brief("On BTC, as in https://a.org/page .", Shelf(page=html(article(RULE * 4))))
    own, heading, *_ = found.text.split("\n\n")
    assert own == "On BTC, as in https://a.org/page ."
    assert heading == "## Document: Notes (https://a.org/page)"
    assert found.text.count("20-day average") == 4


def test_a_document_that_cannot_be_had_is_an_error_and_never_a_bare_address() -> None:
    assert fails("Trade https://a.org/none", Shelf()).trouble is Trouble.NOT_FOUND
    assert fails(
        "https://a.org/page and https://a.org/none", Shelf(page=html(article(RULE * 4)))
    ).where.endswith("none")


def test_too_many_links_are_refused() -> None:
    text = " ".join(f"https://a.org/{n}" for n in range(MOST_LINKS + 1))
    assert str(MOST_LINKS) in fails(text, Shelf()).what


def test_the_server_s_charset_is_believed() -> None:
    body = f"<html><body><p>{(RULE + 'Überkauft. ') * 4}</p></body></html>".encode("latin-1")
    page = Fetched("https://a.org/page", Kind.HTML, "iso-8859-1", body)
    assert "Überkauft" in brief("https://a.org/page", Shelf(page=page)).text


@pytest.mark.parametrize(
    ("page", "trouble"),
    [
        (
            html("<div id=root></div><noscript>Please enable JavaScript to go on.</noscript>"),
            Trouble.NEEDS_JAVASCRIPT,
        ),
        (html("<div id=root></div><script src=/app.js></script>"), Trouble.NEEDS_JAVASCRIPT),
        (html(article(RULE * 3 + "Subscribe to continue reading.")), Trouble.PAYWALL),
        (
            html(
                article(RULE * 3),
                '<script type="application/ld+json">{"isAccessibleForFree": "False"}</script>',
            ),
            Trouble.PAYWALL,
        ),
        (html("<p>Not found</p>"), Trouble.NO_TEXT),
        (Fetched("https://a.org/page", Kind.HTML, "", b""), Trouble.BROKEN),
        (Fetched("https://a.org/page", Kind.PDF, "", b"%PDF-1.7 and nothing more"), Trouble.BROKEN),
        (Fetched("https://a.org/page", Kind.PDF, "", pdf("x")), Trouble.NO_TEXT),
        (Fetched("https://a.org/page", Kind.PDF, "", pdf(RULE * 4, password="s3")), Trouble.ENCRYPTED),
        (Fetched("https://a.org/page", Kind.TEXT, "", b"\xff\xfe\xfa"), Trouble.BROKEN),
        (Fetched("https://a.org/page", Kind.TEXT, "", b" \n"), Trouble.NO_TEXT),
    ],
    ids=[
        "noscript",
        "only scripts",
        "subscribe",
        "not free",
        "short",
        "empty",
        "broken PDF",
        "scanned",
        "encrypted",
        "no text",
        "blank",
    ],
)
def test_a_document_without_an_idea_in_it_says_why(page: Fetched, trouble: Trouble) -> None:
    failure = fails("https://a.org/page", Shelf(page=page))
    assert failure.trouble is trouble
    assert failure.where == "https://a.org/page"


@pytest.mark.parametrize("charset", ["punycode", "undefined", "idna", "unicode_escape", "rot13", "none-such"])
def test_a_charset_in_which_no_page_is_written_is_refused(charset: str) -> None:
    shelf = Shelf(text=Fetched("https://a.org/text", Kind.TEXT, charset, RULE.encode()))
    assert fails("https://a.org/text", shelf).trouble is Trouble.BROKEN


def test_a_local_pdf_is_read_from_beside_the_ideas(tmp_path: Path) -> None:
    (tmp_path / "paper.pdf").write_bytes(pdf(RULE * 2, RULE, title="Averages\u202e"))
    found = brief("paper.pdf", Shelf(), base=tmp_path)
    assert found.text.count("20-day average") == 3
    assert found.title == "Averages"
    assert brief("Trade paper.pdf daily", Shelf(), base=tmp_path).text.startswith(
        "Trade paper.pdf daily\n\n## "
    )


def test_a_local_pdf_that_cannot_be_had_says_why(tmp_path: Path) -> None:
    (tmp_path / "text.pdf").write_text("not a PDF", "utf-8")
    (tmp_path / "folder.pdf").mkdir()
    assert fails("none.pdf", Shelf(), tmp_path).trouble is Trouble.NOT_FOUND
    assert fails("text.pdf", Shelf(), tmp_path).trouble is Trouble.BROKEN
    assert fails("folder.pdf", Shelf(), tmp_path).trouble is Trouble.BROKEN


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_with_the_name_of_a_pdf_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pdf")
    assert fails("pipe.pdf", Shelf(), tmp_path).trouble is Trouble.BROKEN


def test_a_pdf_with_one_broken_page_is_read_without_it() -> None:
    content = pdf(RULE * 4, RULE).replace(b"/Parent", b"/Parant", 1)
    page = Fetched("https://a.org/page", Kind.PDF, "", content)
    assert "20-day average" in brief("https://a.org/page", Shelf(page=page)).text


def test_a_long_document_is_cut_and_says_so() -> None:
    page = Fetched("https://a.org/page", Kind.TEXT, "utf-8", (RULE * 1000).encode())
    found = brief("https://a.org/page", Shelf(page=page))
    assert LONGEST_TEXT - 200 < len(found.text) <= LONGEST_TEXT
    assert any(f"{LONGEST_TEXT:,}" in note for note in found.notes)
    both = brief("https://a.org/page https://a.org/two", Shelf(page=page, two=page))
    assert len(both.text) < LONGEST_TEXT + 200
    assert len(both.notes) == 4


def test_what_cannot_be_seen_is_not_passed_on() -> None:
    hidden = "buy\u202e\u200b\x1b[31m \U000e0041\x00low\ud800\r\n\n\n\nsell \n\u2028high"
    assert cleaned(hidden) == "buy[31m low\n\nsell\n\nhigh"


def test_a_youtube_address_without_a_video_says_so() -> None:
    assert fails("https://www.youtube.com/@me", Shelf()).trouble is Trouble.ADDRESS
    assert fails("https://youtu.be/dQw4w9WgXcQ", Shelf()).trouble is Trouble.BLOCKED


def test_reading_ends_when_it_is_not_wanted_any_more() -> None:
    page = Fetched("https://a.org/page", Kind.PDF, "", b"%PDF-1.7\n" + b"1 0 obj\n<<>>\nendobj\n" * 300_000)
    with pytest.raises(DocumentFailed) as caught:
        brief("https://a.org/page", Shelf(page=page), is_stopping=lambda: True)
    assert caught.value.trouble is Trouble.STOPPED
