"""Ideas from everywhere, as a user has them: folders, standard input, links, lines that are none."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rbi_commands import Commands

CROSS = "Buy when the 10-day SMA crosses above the 30-day SMA, sell when it crosses back below."
RSI = "Buy when RSI(14) falls below 30 and exit when RSI rises above 60."
LOOPBACK = ("--private-networks", "127.0.0.0/8")


class Place:
    def __init__(self, folder: Path, commands: Commands) -> None:
        self.folder = folder
        self.commands = commands
        self.said = ""
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.endswith(("_API_KEY", "_BASE_URL")) and not name.startswith(("RBI_", "PYTHON"))
        }
        self.environ["RBI_OPTIMIZE_ROUNDS"] = "0"  # so that each idea is two calls

    def write(self, text: str, name: str = "ideas.txt") -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def rbi(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        done = self.commands.run(*arguments, folder=self.folder, environ=self.environ, stdin=stdin)
        self.said = done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    def run(self, *more: str, ideas: str = "ideas.txt", stdin: str = "", code: int = 0) -> str:
        return self.rbi("run", ideas, "--data", "GOOG", "--env", "current", *more, stdin=stdin, code=code)

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.rbi("status", "--json")))

    def rows(self) -> list[dict[str, Any]]:
        return sorted(json.loads(self.rbi("results", "--json")), key=lambda row: row["number"])


@pytest.fixture
def place(tmp_path: Path, commands: Commands) -> Place:
    return Place(tmp_path, commands)


class Site:
    """A server of one text page; ``status`` is what it answers with."""

    def __init__(self) -> None:
        self.status = 200
        self.asked = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked += 1
                body = RSI.encode()
                self.send_response(site.status)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/rules.txt"


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_standard_input_is_read_once_and_resume_needs_it_no_more(place: Place) -> None:
    place.run("--limit", "1", ideas="-", stdin=f"{CROSS}\n{RSI}\n")
    assert place.status()["source"] == "-"
    assert place.status()["outcomes"] == {"traded": 1}
    place.rbi("resume", "--env", "current")
    place.run(ideas="-", stdin=f"{CROSS}\n{RSI}\n")
    assert place.status()["outcomes"] == {"traded": 2}


def test_a_folder_holds_one_idea_a_file(place: Place) -> None:
    place.write(f"---\ntitle: Cross\n---\n{CROSS}\n", "mine/a.md")
    place.write(f"{RSI}\n", "mine/deeper/b.txt")
    place.run(ideas="mine")
    assert [row["idea"] for row in place.rows()] == [CROSS, RSI]


def test_a_link_is_read_once_kept_and_refused_where_it_leads_to_a_private_network(
    place: Place, site: Site
) -> None:
    place.write(site.url + "\n")
    place.run()
    (row,) = place.rows()
    assert (row["outcome"], row["cause"], site.asked) == ("no document", "private_address", 0)
    place.run("--retry-failed", *LOOPBACK)
    (row,) = place.rows()
    assert (row["outcome"], site.asked) == ("traded", 1)
    brief = (place.folder / "results" / row["folder"] / "brief.md").read_text(encoding="utf-8")
    assert RSI in brief
    assert f"Source: {site.url}" in brief
    place.run("--name", "another", *LOOPBACK)
    assert site.asked == 1


def test_a_server_that_is_down_leaves_the_idea_to_resume(place: Place, site: Site) -> None:
    place.write(site.url + "\n")
    site.status = 503
    place.run(*LOOPBACK, code=3)
    assert "did not get the document" in place.said
    site.status = 200
    place.rbi("resume", "--env", "current")
    assert place.rows()[0]["outcome"] == "traded"


def test_what_is_no_idea_is_said_before_anything_is_asked_and_run_on_demand(place: Place) -> None:
    place.write(f"{CROSS}\nBuy when RSI(14) falls below 30 and exit when RSI rises above 60 and\n")
    planned = json.loads(place.rbi("plan", "ideas.txt", "--json"))
    assert (planned["ideas"], planned["flagged_ideas"]) == (1, 1)
    place.run()
    assert "ideas.txt:2: it breaks off" in place.said
    assert [row["outcome"] for row in place.rows()] == ["traded", "flagged"]
    assert place.status()["answers"] == 2
    place.run("--keep-flagged")
    assert place.rows()[1]["outcome"] == "traded"


def test_near_duplicates_are_told_and_with_dedupe_run_once(place: Place) -> None:
    other = CROSS.replace("sell when", "exit when")
    place.write(f"{CROSS}\n{other}\n{CROSS.replace('30-day', '40-day')}\n")
    planned = json.loads(place.rbi("plan", "ideas.txt", "--dedupe", "--json"))
    assert (planned["ideas"], planned["near_duplicates"]) == (2, 2)
    place.run("--dedupe")
    assert "ideas.txt:2 is like ideas.txt:1: sell → exit" in place.said
    assert [row["outcome"] for row in place.rows()] == ["traded", "duplicate", "traded"]
    assert "idea 1" in place.rbi("show", "2")
    place.run()
    assert [row["outcome"] for row in place.rows()] == ["traded"] * 3


def test_a_finished_idea_is_found_in_its_batch_and_again_makes_a_new_trial(place: Place) -> None:
    place.write(f"{CROSS}\n")
    place.run("--name", "first")
    before = place.status()
    place.write(f"{RSI}\n{CROSS}\n")
    planned = json.loads(place.rbi("plan", "ideas.txt", "--data", "GOOG", "--json"))
    assert (planned["ideas"], planned["finished_ideas"]) == (1, 1)
    place.run("--name", "second")
    assert "1 idea is finished in batch first, see results/first;" in place.said
    found = place.rows()[1]
    assert (found["number"], found["outcome"], found["folder"].split("/")[0]) == (2, "traded", "first")
    assert place.status()["answers"] == 2
    assert "SMA" in place.rbi("show", "2", "--code")
    place.run("--name", "third", "--again")
    assert place.status()["answers"] == 2 * before["answers"]
    assert {row["folder"].split("/")[0] for row in place.rows()} == {"third"}
