"""Parameters that a class declares, the values around them, and a search that stays within its means."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbi.optimizing.parameters import Parameter, declared, steps, with_values
from rbi.optimizing.search import MOST_BARS, MOST_TRIES, affordable_tries, first_tries, next_tries

MODULE = '''"""Crosses."""
from backtesting import Strategy


class Cross(Strategy):
    fast = 10  # bars
    slow: int = 30
    size = 0.95
    half = slow // 2
    on, level = True, 3
    enabled = True
    unused = 7
    counted = 5
    rsi_level = 30
    stop_percent = 0.02; reward_risk = 2.0
    floor = -1.5
    off = 0

    def init(self):
        self.counted = self.fast + self.slow + self.half + self.enabled + self.rsi_level
        self.ma = self.I(lambda n=8: n, self.stop_percent, self.reward_risk, self.floor, self.off)

    def next(self):
        self.buy(size=self.size)
'''


def test_parameters_are_plain_numbers_of_the_class_that_its_methods_read() -> None:
    assert declared(MODULE) == (
        Parameter("fast", 10),
        Parameter("rsi_level", 30),
        Parameter("stop_percent", 0.02),
        Parameter("reward_risk", 2.0),
        Parameter("floor", -1.5),
    )


@pytest.mark.parametrize(
    "source",
    [
        "class (",
        "x = 1\n",
        MODULE + MODULE,
        MODULE.replace("self.fast", "Cross.fast + self.fast").replace("self.rsi_level", "1"),
        MODULE.replace("self.fast", "type(self).fast + self.fast"),
    ],
)
def test_what_values_given_to_a_run_would_not_reach_is_no_parameter(source: str) -> None:
    assert "fast" not in {parameter.name for parameter in declared(source)}


def test_values_are_written_into_the_class_and_all_else_stays() -> None:
    changed = with_values(MODULE, {"fast": 15, "floor": -2.25, "stop_percent": 0.03})
    expected = (
        MODULE.replace("fast = 10 ", "fast = 15 ")
        .replace("-1.5", "-2.25")
        .replace("stop_percent = 0.02;", "stop_percent = 0.03;")
    )
    assert changed == expected
    with pytest.raises(KeyError):
        with_values(MODULE, {"slow": 20})


@given(
    st.sampled_from(["fast", "rsi_level", "stop_percent", "adx_period", "weight"]),
    st.integers(-500, 500) | st.floats(-1000, 1000, allow_nan=False),
)
def test_steps_keep_kind_sign_and_bounds_and_can_be_written(name: str, value: float) -> None:
    if abs(value) < 1e-6:
        return
    found = steps(Parameter(name, value))
    assert value not in found
    assert len(set(found)) == len(found) <= 4
    for step in found:
        assert type(step) is type(value)
        assert (step > 0) == (value > 0)
        if isinstance(value, int) and abs(value) > 1:
            assert abs(step) >= (1 if name == "rsi_level" else 2)
        if isinstance(value, float) and abs(value) < 1:
            assert abs(step) < 1
        source = MODULE.replace("fast = 10", f"fast = {value!r}")
        written = with_values(source, {"fast": step})
        assert {p.name: p.value for p in declared(written)}["fast"] == step
        ast.parse(written)


def test_levels_move_by_points_and_windows_by_a_factor() -> None:
    assert steps(Parameter("rsi_level", 30)) == (35, 25, 40, 20)
    assert steps(Parameter("rsi_period", 14)) == (21, 9, 28, 7)
    assert steps(Parameter("overbought", 95)) == (90, 85)
    assert steps(Parameter("confirmations", 1)) == (2, 3)
    assert steps(Parameter("stop_percent", 0.6)) == (0.9, 0.4, 0.3)


def test_a_search_never_runs_more_tries_or_bars_than_it_may() -> None:
    assert (affordable_tries(5_361), affordable_tries(23_300), affordable_tries(100_000)) == (11, 2, 0)
    assert affordable_tries(1) == MOST_TRIES
    for bars in (700, 5_361, 23_300, MOST_BARS):
        tries, parameters = affordable_tries(bars), declared(MODULE)
        first = first_tries(parameters, tries)
        tried = [(values, float(n)) for n, values in enumerate(first)]
        following = next_tries(parameters, tried, -1.0, tries)
        every = [dict(values) for values in (*first, *following)]
        assert len(every) * bars <= MOST_BARS
        assert all(every.count(values) == 1 for values in every)


def test_every_parameter_gets_its_nearest_step_before_any_gets_another() -> None:
    assert first_tries(declared(MODULE), 9) == (
        {"fast": 15},
        {"rsi_level": 35},
        {"stop_percent": 0.03},
        {"reward_risk": 2.5},
        {"floor": -1.875},
        {"fast": 7},
    )


def test_the_second_tries_join_what_was_better_and_look_around_the_best() -> None:
    parameters = declared(MODULE)
    tried = [({"fast": 15}, 3.0), ({"fast": 7}, 2.0), ({"rsi_level": 35}, 2.5), ({"floor": -1.875}, None)]
    assert next_tries(parameters, tried, 1.0, 12) == (
        {"rsi_level": 35, "fast": 15},
        {"fast": 22},
        {"fast": 12},
    )
    assert next_tries(parameters, tried, 3.0, 12) == ()
    assert len(next_tries(parameters, tried, 1.0, 5)) == 1
