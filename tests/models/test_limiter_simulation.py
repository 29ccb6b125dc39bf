from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limiter_simulation import INPUT_TOKENS, Load, Provider, Simulation, Storm

from models.limiter import Limits

MINUTES = 10
ONE_CALL = INPUT_TOKENS + 1500


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    states_limits=st.booleans(),
    streams=st.booleans(),
    workers=st.integers(2, 60),
    slowest_s=st.floats(0.1, 20),
)
def test_our_own_limits_keep_a_provider_that_counts_on_arrival_from_refusing(
    seed: int, states_limits: bool, streams: bool, workers: int, slowest_s: float
) -> None:
    provider = Provider(60, None, states_limits=states_limits)
    load = Load(workers, (0.05, slowest_s), streams=streams)
    Simulation(provider, Limits(60, delay_s=0.1), load, seed).run(300)
    assert provider.refused == 0
    assert provider.requests.fullest_minute() <= 60


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), streams=st.booleans(), workers=st.integers(2, 60))
def test_the_headers_of_the_first_answer_are_enough_to_keep_a_limit_nobody_set(
    seed: int, streams: bool, workers: int
) -> None:
    provider = Provider(60, None, states_limits=True)
    Simulation(provider, Limits(delay_s=0.1), Load(workers, streams=streams), seed).run(300)
    assert provider.refused == 0


@pytest.mark.parametrize("counts_on_arrival", [True, False], ids=["arrival", "completion"])
@pytest.mark.parametrize("states_limits", [True, False], ids=["headers", "silent"])
@pytest.mark.parametrize("what", ["requests", "tokens"])
def test_most_of_an_allowance_is_used(counts_on_arrival: bool, states_limits: bool, what: str) -> None:
    shares = []
    for seed in range(10):
        provider = Provider(60, 40_000 if what == "tokens" else 400_000, counts_on_arrival, states_limits)
        limits = Limits(60, provider.tokens_per_minute, delay_s=0.1)
        Simulation(provider, limits, Load(), seed).run(60.0 * MINUTES)
        log, limit = (provider.tokens, 40_000) if what == "tokens" else (provider.requests, 60)
        shares.append(log.between(0, 60.0 * MINUTES) / (limit * MINUTES))
        # Now and then answers turn out longer than expected, and a late count is a surprise once.
        assert provider.refused <= 10
    # Who counts an answer when it is done has counted less after ten minutes, and counts late what we sent early.
    assert sum(shares) / len(shares) >= (0.9 if counts_on_arrival else 0.85)


@pytest.mark.parametrize("bucket", [1, 5, 60])
@pytest.mark.parametrize("latency_s", [(0.05, 20.0), (0.5, 2.0)], ids=["slow", "quick"])
def test_requests_that_are_given_out_one_by_one_are_asked_for_one_by_one(
    bucket: float, latency_s: tuple[float, float]
) -> None:
    provider = Provider(60, states_limits=True, bucket=bucket)
    Simulation(provider, Limits(delay_s=0.1), Load(latency_s=latency_s)).run(60.0 * MINUTES)
    assert provider.requests.between(0, 60.0 * MINUTES) >= 0.9 * 60 * MINUTES
    assert provider.refused <= 3


@pytest.mark.parametrize("seed", range(10))
def test_a_provider_that_counts_only_what_is_done_is_learnt_from_after_few_refusals(seed: int) -> None:
    provider = Provider(60, None, counts_on_arrival=False)
    simulation = Simulation(provider, Limits(60, delay_s=0.1), Load(), seed).run(600)
    refused = provider.refused
    simulation.run(1800)
    assert refused <= 6
    assert provider.refused - refused <= 6
    assert simulation.lost == 0


@pytest.mark.parametrize("seconds", [30, 120, 300])
@pytest.mark.parametrize("retry_after_s", [None, 5.0, 30.0])
@pytest.mark.parametrize("streams", [True, False], ids=["streams", "whole"])
def test_after_a_storm_of_refusals_the_allowance_is_soon_used_again(
    seconds: int, retry_after_s: float | None, streams: bool
) -> None:
    for seed in range(3):
        end = 100.0 + seconds
        provider = Provider(60, storms=(Storm(100.0, end, retry_after_s),))
        simulation = Simulation(provider, Limits(60, delay_s=0.1), Load(streams=streams), seed).run(end + 120)
        first = min(at for at in provider.requests.times if at >= end)
        assert first - end <= (retry_after_s or 20.0) + 1
        ends = (at for at in provider.requests.times if at >= end + 60)
        assert min(at - 60 - end for at in ends if provider.requests.last_minute(at) >= 54) <= 60
        assert simulation.lost == 0
        # One call tries in each pause; only before the storm is known for one do all come back.
        assert provider.refused <= 10 + seconds / (retry_after_s or 20.0)


@pytest.mark.parametrize("latency_s", [(0.3, 1.0), (1.0, 3.0), (5.0, 20.0)], ids=str)
@pytest.mark.parametrize("workers", [6, 18, 40])
@pytest.mark.parametrize("streams", [True, False], ids=["streams", "whole"])
def test_a_cap_on_calls_at_once_that_nobody_states_is_found_and_used(
    latency_s: tuple[float, float], workers: int, streams: bool
) -> None:
    provider = Provider(most_at_once=4)
    simulation = Simulation(provider, Limits(delay_s=0.0), Load(workers, latency_s, streams=streams)).run(600)
    low, high = latency_s
    possible = 600 * 4 / (low + (high - low) / 3)  # the mean of the squared draw is a third
    assert simulation.done >= 0.8 * possible
    assert simulation.lost == 0
    assert simulation.most_attempts <= 8


@pytest.mark.parametrize("workers", [1, 18, 100])
def test_a_provider_that_is_not_there_gets_few_calls(workers: int) -> None:
    provider = Provider(dead=((0.0, 10_000.0),))
    Simulation(provider, Limits(), Load(workers)).run(600)
    assert 10 <= len(provider.arrivals.times) <= 20


def test_a_provider_that_dies_gets_few_calls_beyond_those_under_way_and_is_used_again_within_a_minute() -> (
    None
):
    provider = Provider(60, dead=((100.0, 300.0),))
    simulation = Simulation(provider, Limits(60, delay_s=0.1), Load(), 1).run(460)
    assert provider.arrivals.between(100, 300) <= 60
    assert provider.requests.between(300, 420) >= 54
    assert simulation.lost == 0


def test_what_others_use_of_the_same_key_is_left_to_them() -> None:
    alone = Provider(60, states_limits=True)
    shared = Provider(60, states_limits=True, others_every_s=2.0)
    for provider in (alone, shared):
        Simulation(provider, Limits(60, delay_s=0.1), Load(), 2).run(600)
    assert (
        0.8 * 300 <= sum(b - a for a, b in zip(shared.ours.sums, shared.ours.sums[1:], strict=False)) <= 330
    )
    assert shared.refused <= 20
    assert alone.refused == 0


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_fifth_of_all_calls_failing_loses_hardly_a_question(seed: int) -> None:
    provider = Provider(fault_rate=0.2)
    load = Load(18, (0.5, 5.0), questions=300)
    simulation = Simulation(provider, Limits(delay_s=0.0), load, seed).run_to_the_end()
    assert simulation.done + simulation.lost == 300
    # 0.2**6 of 300 questions is 0.02: three would be no bad luck any more.
    assert simulation.lost <= 2
