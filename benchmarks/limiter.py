"""What one call pays for going through the limiter, and how much of an allowance it lets calls use.

Run from the repository: python benchmarks/limiter.py
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from pathlib import Path

from models.limiter import AccountLimiter, Estimate, Limits, StopSignal, Wait

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from limiter_simulation import Load, Provider, Simulation

ESTIMATE = Estimate(1000, 500)
ROUNDS = 40


def limiter_of(max_in_flight: int) -> AccountLimiter:
    """An account that has answered once and whose adaptive limit has grown to the bound."""
    limits = Limits(10**9, 10**12, 10**12, 10**12, max_in_flight=max_in_flight, delay_s=0.0)
    limiter = AccountLimiter(limits, stop=StopSignal())
    while limiter.stats().limit < max_in_flight:
        permits = []
        while not isinstance(permit := limiter.acquire(ESTIMATE), Wait):
            permits.append(permit)
        for permit in permits:
            limiter.settle(permit)
    return limiter


def own_cost_us(threads: int, max_in_flight: int) -> list[float]:
    """CPU microseconds that the asking thread itself spends on each acquire and settle."""
    limiter = limiter_of(max_in_flight)
    ready = threading.Barrier(threads)
    costs: list[float] = []

    def ask() -> None:
        mine = []
        ready.wait()
        for _ in range(ROUNDS if threads > 1 else 20_000):
            began = time.thread_time_ns()
            permit = limiter.wait_for_slot(ESTIMATE)
            limiter.settle(permit)
            mine.append((time.thread_time_ns() - began) / 1000)
        costs.extend(mine)

    running = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return costs


def used_share(*, counts_on_arrival: bool, states_limits: bool) -> float:
    """The share of 40,000 tokens a minute used over 10 minutes, in percent, in the mean of 20 simulations."""
    shares = []
    for seed in range(20):
        provider = Provider(60, 40_000, counts_on_arrival, states_limits)
        Simulation(provider, Limits(60, 40_000, delay_s=0.1), Load(), seed).run(600)
        shares.append(provider.tokens.between(0, 600) / 400_000)
    return 100 * statistics.mean(shares)


def main() -> None:
    """Print all measurements."""
    for threads, most in ((1, 64), (32, 1000), (32, 8), (1000, 1000), (1000, 32)):
        costs = own_cost_us(threads, most)
        median, p99 = statistics.median(costs), statistics.quantiles(costs, n=100)[98]
        print(f"{threads:5} threads, {most:4} in flight: median {median:6.1f} us, p99 {p99:6.1f} us")
    for counts_on_arrival in (True, False):
        for states_limits in (True, False):
            share = used_share(counts_on_arrival=counts_on_arrival, states_limits=states_limits)
            when = "arrival" if counts_on_arrival else "completion"
            stated = "with" if states_limits else "without"
            print(f"counted at {when}, {stated} headers: {share:.1f}% of the allowance used")


if __name__ == "__main__":
    main()
