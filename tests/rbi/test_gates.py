"""The gates of a version: each stops what it is for, and lets pass what is sound."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from builders import bad_result, good_result

from rbi.repairs.findings import Problem
from rbi.validation.gates import GATES, OF_ONE_RUN, Evidence, failed
from runners.base import CheckStatus, Failure, FailureKind, NumbersCheck, RunResult
from runners.stats import BacktestStats

CHECKED = replace(good_result(), check=NumbersCheck(CheckStatus.CONFIRMED))
BROKEN = bad_result(Failure(FailureKind.ERROR, "boom", "mend it"))
SOUND = Evidence((CHECKED, CHECKED), repeated=(CHECKED, CHECKED), dearer=(CHECKED, CHECKED), ahead="")


def with_stats(**figures: float) -> RunResult:
    assert isinstance(CHECKED.stats, BacktestStats)
    return replace(CHECKED, stats=replace(CHECKED.stats, **figures))  # type: ignore[arg-type]


def test_what_is_sound_passes_all_of_them() -> None:
    assert list(failed(GATES, SOUND)) == []


def test_undefined_figures_are_equal_to_themselves() -> None:
    undefined = with_stats(sqn=math.nan)
    assert not list(failed(GATES, replace(SOUND, results=(undefined,), repeated=(undefined,))))


@pytest.mark.parametrize(
    ("evidence", "names"),
    [
        (
            Evidence(()),
            {"ran", "enough trades", "exposure", "no loss", "deterministic", "costs", "no look-ahead, tried"},
        ),
        (replace(SOUND, ahead=None), {"no look-ahead, tried"}),
        (replace(SOUND, ahead="other orders by bar 5"), {"no look-ahead, tried"}),
        (replace(SOUND, repeated=None, dearer=None), {"deterministic", "costs"}),
        (
            replace(SOUND, results=(CHECKED, replace(CHECKED, check=None)), repeated=SOUND.results),
            {"confirmed"},
        ),
        (replace(SOUND, repeated=(CHECKED, with_stats(trades=41))), {"deterministic"}),
        (replace(SOUND, repeated=(CHECKED, BROKEN)), {"deterministic"}),
        (replace(SOUND, dearer=(with_stats(return_pct=5), with_stats(return_pct=-5.1))), {"costs"}),
        (replace(SOUND, dearer=(CHECKED, BROKEN)), {"costs"}),
        (replace(SOUND, dearer=(with_stats(return_pct=math.nan),)), {"costs"}),
        (replace(SOUND, problems=(Problem("look_ahead", "it shifts", "do not", 3, ""),)), {"no look-ahead"}),
        (replace(SOUND, problems=(Problem("not_revealed", "it", "do not", 3, ""),)), {"no look-ahead"}),
        (replace(SOUND, problems=(Problem("units", "odd", "mend", 3, ""),)), set()),
    ],
)
def test_a_gate_that_is_not_passed_is_named(evidence: Evidence, names: set[str]) -> None:
    assert {line.partition(":")[0] for line in failed(GATES, evidence)} == names


@pytest.mark.parametrize(
    ("result", "name"),
    [
        (with_stats(trades=14), "enough trades"),
        (with_stats(exposure_time_pct=0.4), "exposure"),
        (with_stats(equity_final=0.0), "solvent"),
        (with_stats(return_pct=-0.1), "no loss"),
        (BROKEN, "ran"),
    ],
)
def test_one_run_on_every_dataset_answers_most_of_them(result: RunResult, name: str) -> None:
    found = [line.partition(":")[0] for line in failed(OF_ONE_RUN, Evidence((result, result)))]
    assert name in found
    assert name in {gate.name for gate in OF_ONE_RUN}


def test_trades_and_exposure_are_judged_over_all_datasets() -> None:
    seldom, often = with_stats(trades=2, exposure_time_pct=0.1), with_stats(trades=28, exposure_time_pct=2.0)
    assert not list(failed(OF_ONE_RUN, Evidence((seldom, often))))
