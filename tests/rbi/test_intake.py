"""Intake as a stage: what an idea resolves to before a model is asked, and what ends there."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from builders import NoLibrary, ScriptedEffects, context, good_result

from models.client import ModelClient
from models.limiter import Limiters
from models.providers.offline.writer import OfflineWriter
from models.stopping import Flag
from rbi.domain import Brief, Idea, IdeaReport, OutcomeKind
from rbi.effects import Interrupted, JournaledEffects, Library
from rbi.events import Events
from rbi.intake.duplicates import Duplicate, Duplicates
from rbi.intake.failures import DocumentFailed, Trouble
from rbi.intake.fetching import Answer, Fetched, Kind, Request
from rbi.intake.library import MOST_AT_ONCE, Documents
from rbi.journal import Journal
from rbi.pipeline import run_idea
from rbi.prompts import shipped
from rbi.results import files_of, outcome_record
from rbi.stages.context import Admission, Goal
from rbi.turns import Turns
from rbi.writers import Writers
from runners.base import RunRequest, RunResult, Terms

URL = "https://a.org/rules"
RULES = "Buy when the close crosses above the 50-day average and sell when it falls below the 20-day average."
NOTE = "# Cross\nCoverage: wholly\n"
ANSWERS = {"research": NOTE, "write": "```python\nclass S: pass\n```", "debug": "no"}
LINKED = Idea(1, URL)


def effects(briefs: Mapping[str, Brief | Exception]) -> ScriptedEffects:
    return ScriptedEffects(ANSWERS, lambda source, bars: good_result(), briefs)


def go(made: ScriptedEffects, idea: Idea, admission: Admission | None = None) -> IdeaReport:
    place = replace(context(made), admission=admission or Admission(), goal=Goal(rounds=0))
    return run_idea(idea, place, lambda stage: None)


def test_models_get_the_document_and_never_its_address_as_the_idea() -> None:
    made = effects({URL: Brief(RULES, URL, "Two averages", ("generated from the sound",))})
    report = go(made, LINKED)
    assert {inputs["idea"] for _, inputs in made.asked} == {RULES}
    files = files_of(report, outcome_record(report, "f"))
    assert RULES in files["brief.md"]
    assert f"Source: {URL}" in files["brief.md"]
    assert files["idea.txt"] == URL + "\n"
    assert "generated from the sound" in files["summary.md"]


def test_plain_text_is_its_own_brief_and_has_no_other_file() -> None:
    made = effects({})
    report = go(made, Idea(1, RULES))
    assert made.asked[0][1]["idea"] == RULES
    assert "brief.md" not in files_of(report, outcome_record(report, "f"))


@pytest.mark.parametrize(
    ("trouble", "final"),
    [
        (Trouble.SERVER, False),
        (Trouble.NOT_INSTALLED, False),
        (Trouble.NOT_FOUND, True),
        (Trouble.PAYWALL, True),
    ],
)
def test_a_document_that_cannot_be_had_ends_the_idea_unpaid(trouble: Trouble, final: bool) -> None:
    made = effects({URL: DocumentFailed(trouble, "it is not there", URL)})
    outcome = go(made, LINKED).outcome
    assert (outcome.kind, outcome.final, made.asked) == (OutcomeKind.NO_DOCUMENT, final, [])
    assert URL in outcome.reasons[0]
    assert "fix:" in outcome.reasons[0]


def test_a_line_that_is_no_idea_costs_nothing_and_says_how_to_run_it() -> None:
    fragment, made = Idea(1, "Buy when the price exceeds the"), effects({})
    outcome = go(made, fragment).outcome
    assert (outcome.kind, outcome.cause, made.asked) == (OutcomeKind.FLAGGED, "fragment", [])
    assert "--keep-flagged" in outcome.reasons[0]
    assert go(made, fragment, Admission(keep_flagged=True)).outcome.kind is OutcomeKind.TRADED


def test_a_duplicate_costs_nothing_and_points_to_its_leader() -> None:
    made = effects({})
    second = Idea(7, RULES)
    admission = Admission(duplicates={second.idea_id: Duplicate(Idea(3, "x"), 95.2, "a → b")})
    outcome = go(made, second, admission).outcome
    assert (outcome.kind, outcome.cause, made.asked) == (OutcomeKind.DUPLICATE, "of_3", [])
    assert "idea 3" in outcome.reasons[0]


def test_ideas_whose_numbers_differ_are_never_duplicates() -> None:
    texts = [
        RULES,
        RULES.replace("50", "60"),
        RULES.replace("Buy", "Go long"),
        RULES.replace("50", "60") + " ",
    ]
    texts[3] = texts[1].replace("falls", "drops")
    ideas = [Idea(n, text) for n, text in enumerate(texts, start=1)]
    found = Duplicates(ideas[:3])
    assert list(found) == [ideas[2].idea_id]
    found.add(ideas[2:])
    assert {idea_id: one.leader.number for idea_id, one in found.items()} == {
        ideas[2].idea_id: 1,
        ideas[3].idea_id: 2,
    }


# Through the journal


class NoRunner:
    def identity(self, request: RunRequest) -> Mapping[str, str]:
        return {"source": request.source}

    def run(self, request: RunRequest) -> RunResult:
        raise AssertionError("nothing is run here")

    def drain(self) -> None:
        return

    def interrupt(self) -> None:
        return


class Shelf(NoLibrary):
    """A library whose documents are made by a function; counts how often it is asked."""

    def __init__(self, make: Callable[[str], Brief]) -> None:
        self._make = make
        self.reads = 0

    def brief(self, idea_text: str) -> Brief:
        self.reads += 1
        return self._make(idea_text)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "rbi.db")
    yield made
    made.close()


def journaled(journal: Journal, library: Library) -> JournaledEffects:
    return JournaledEffects(
        batch="b",
        journal=journal,
        client=ModelClient(journal, Limiters()),
        writers=Writers((OfflineWriter(),), {}, max_output_tokens=8192, temperature=None),
        prompts=shipped(),
        library=library,
        runner=NoRunner(),
        terms=Terms(),
        timeout_s=10.0,
        events=Events(),
        stopping=Flag(),
        turns=Turns(1, Flag()),
    )


def test_a_document_is_read_once_and_is_the_same_ever_after(journal: Journal) -> None:
    read = Brief("rules", URL, "Title", ("only the first page",))
    first, second = Shelf(lambda text: read), Shelf(lambda text: Brief("changed"))
    assert journaled(journal, first).brief(LINKED) == read
    assert journaled(journal, second).brief(LINKED) == read
    assert (first.reads, second.reads) == (1, 0)
    (call,) = journal.calls("b", LINKED.idea_id)
    assert (call["kind"], call["stage"], call["state"]) == ("fetch", "intake", "done")


def test_a_document_that_failed_is_asked_for_again(journal: Journal) -> None:
    def down(text: str) -> Brief:
        raise DocumentFailed(Trouble.SERVER, "503", text)

    with pytest.raises(DocumentFailed):
        journaled(journal, Shelf(down)).brief(LINKED)
    assert journaled(journal, Shelf(lambda text: Brief("rules"))).brief(LINKED).text == "rules"


def test_reading_that_was_stopped_is_no_outcome(journal: Journal) -> None:
    def stopped(text: str) -> Brief:
        raise DocumentFailed(Trouble.STOPPED, "stopped", text)

    with pytest.raises(Interrupted):
        journaled(journal, Shelf(stopped)).brief(LINKED)


def test_another_trial_of_an_idea_asks_models_anew(journal: Journal) -> None:
    made = journaled(journal, NoLibrary())
    idea = Idea(1, RULES)
    replayed = [
        made.ask(one, "research", {"idea": RULES, "columns": "Close"}).replayed
        for one in (idea, idea, replace(idea, trial=2))
    ]
    assert replayed == [False, True, False]


# The library


class Web:
    """Every page is the same text; says how many were fetched at once."""

    def __init__(self) -> None:
        self.at_once = 0
        self.most = 0
        self._lock = threading.Lock()
        self.together = threading.Barrier(MOST_AT_ONCE)

    def get(self, url: str) -> Fetched:
        with self._lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.together.wait(timeout=60)
        with self._lock:
            self.at_once -= 1
        return Fetched(url, Kind.TEXT, "", RULES.encode())

    def exchange(self, request: Request, seconds: float) -> Answer:
        raise AssertionError("no video was named")


def test_no_more_than_two_documents_are_read_at_once() -> None:
    web = Web()
    library = Documents(web, Path(), lambda: False)
    threads = [threading.Thread(target=library.brief, args=(f"https://a.org/{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert web.most == MOST_AT_ONCE


def test_where_paths_begin_matters_only_to_ideas_that_name_files() -> None:
    here, there = (Documents(Web(), Path(name), lambda: False) for name in ("a", "b"))
    assert here.identity(URL) == there.identity(URL)
    assert here.identity("rules.pdf") != there.identity("rules.pdf")
    assert json.dumps(dict(here.identity(URL)))
