"""What a batch needs, made from settings and checked: writers, datasets, the strategy environment, prompts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from models.cost import PriceTable
from models.factory import ModelFactory
from rbi.cache import cache_folder
from rbi.config import Settings
from rbi.data.catalog import Dataset, load_all
from rbi.errors import UsageError
from rbi.locks import ConsoleLock
from rbi.prompts import Prompts, shipped
from rbi.quoted_models import named_chains
from rbi.terminal import say
from rbi.writers import Writers, budgets, writers
from runners.environments import Environment, is_made, resolve


@dataclass(frozen=True, slots=True)
class Parts:
    """What a batch needs, checked: models that can be asked, sound data, a working environment."""

    writers: Writers
    datasets: tuple[Dataset, ...]
    environment: Environment
    prompts: Prompts

    def identity(self, settings: Settings) -> dict[str, Any]:
        """What can change a result: the batch keeps it for life."""
        data = {dataset.name: dataset.fingerprint for dataset in self.datasets}
        return {
            **settings.identity(),
            **self.writers.identity(),
            **self.prompts.identity(),
            "data": data,
        }


def chosen_writers(settings: Settings) -> Writers:
    """The models that the settings name. Raises `RbiError` or `ModelError` when one of them cannot be asked."""
    named_chains(settings)  # says which setting has a name that cannot be meant, before a key is missed
    prices = PriceTable(settings.prices)
    factory = ModelFactory(settings.environ, own=settings.providers, prices=prices)
    chosen = writers(settings, factory)
    _check_prices(settings, chosen, factory, prices)
    return chosen


def nobody(settings: Settings) -> Writers:
    """No models, for strategies that are there already."""
    return Writers((), {}, settings.max_output_tokens, settings.temperature)


def parts_of(
    settings: Settings,
    chosen: Writers,
    prompts: Prompts | None = None,
    *,
    check_cash: bool = True,
    environment: Callable[[], Environment] | None = None,
) -> Parts:
    """The parts. Raises `RbiError` or `RunnerError` for data or an environment that cannot be used."""
    datasets = load_all(settings.data)
    if check_cash:
        _check_cash(settings, datasets)
    place = environment() if environment else _environment(settings)
    return Parts(chosen, datasets, place, prompts or shipped())


def _check_prices(settings: Settings, chosen: Writers, factory: ModelFactory, prices: PriceTable) -> None:
    """Say which costs will be unknown; refuse to keep a budget that they are to be counted in."""
    for model in chosen:
        warning = factory.check_name(model.name)
        if not warning:
            continue
        if budgets(settings) and not prices.is_priced(model.provider, model.model):
            raise UsageError(
                f"no price is known for {model.name}, so no budget can be kept",
                where="--budget" if settings.budget is not None else "--budget-per-idea",
                fix=f'write its price into rbi.toml under [prices."{model.name}"], or do without a budget',
            )
        say(f"rbi: {warning}")


def _check_cash(settings: Settings, datasets: Sequence[Dataset]) -> None:
    """Say before anything begins that nothing can be bought with less than the margin of one unit."""
    for dataset in datasets:
        needed = float(dataset.bars.low.min()) * settings.margin
        if settings.cash < needed:
            raise UsageError(
                f"cash of {settings.cash:,.2f} never buys one unit of {dataset.name}",
                where="--cash",
                fix=f"use more than {needed:,.2f}; {100 * needed:,.0f} leaves room for sizes",
            )


def _environment(settings: Settings) -> Environment:
    say = ConsoleLock(sys.stderr).write_line
    return resolve(settings.env, cache=cache_folder(settings.environ), environ=settings.environ, progress=say)


def environment_ahead(settings: Settings) -> Callable[[], Environment]:
    """The environment, looked at while other things are: that takes longer than to read ten thousand ideas.

    One that has to be made is made when it is asked for, not before the user has agreed to the batch.
    """
    if not is_made(settings.env, cache=cache_folder(settings.environ), environ=settings.environ):
        return lambda: _environment(settings)
    pool = ThreadPoolExecutor(1, thread_name_prefix="environment")
    found = pool.submit(_environment, settings)
    pool.shutdown(wait=False)
    return found.result
