"""Settings as resolved, and the order in which they are decided.

defaults < ``rbi.toml`` < environment and ``.env`` (``RBI_MODEL`` for ``model``) < command line.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rbi.errors import UsageError
from rbi.setting_values import checked, from_flag, from_text
from rbi.settings_files import read_dotenv, read_toml
from rbi.settings_table import BY_KEY, SETTINGS, suggestion

if TYPE_CHECKING:
    from models.cost import TokenPrice
    from models.providers.service import Service

CONFIG_FILE = "rbi.toml"
ENV_FILE = ".env"
OTHER_VARIABLES = ("RBI_CACHE", "RBI_DEBUG")

_TABLES = ("providers", "limits", "prices")

TABLES_TEMPLATE = """\
# A server of your own that speaks OpenAI's chat completions; use it as --model mine or mine:NAME.
# [providers.mine]
# base_url = "http://localhost:8000/v1"
# key_variable = "MINE_API_KEY"     # the variable that holds the key; leave it out if there is no key
# default_model = "my-model"

# Limits of one provider, over those above.
# [limits.openai]
# requests_per_minute = 500
# tokens_per_minute = 200000
# max_calls = 32
# delay = 0.1

# Prices in US dollars per million tokens, for models that `rbi models` has no price of; they win over its own.
# [prices."mine:my-model"]
# input = 0.5
# output = 1.5
# cache_read = 0.05
# cache_write = 0.625
"""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What calls to one provider are held to. 0 a minute: only what the provider says. ``delay`` is in seconds."""

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    input_tokens_per_minute: int = 0
    output_tokens_per_minute: int = 0
    max_calls: int = 64
    delay: float = 0.5


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings as resolved. Rates are fractions, times are seconds, budgets US dollars (``None``: no limit).

    0 workers means by core count. ``providers``, ``limits`` (by provider) and ``prices`` (by ``provider:model``)
    come from the tables of ``rbi.toml``.
    """

    ideas: str = "ideas/ideas.txt"
    results: str = "results"
    name: str = ""
    model: str = ""
    research_model: str = ""
    code_model: str = ""
    debug_model: str = ""
    optimize_model: str = ""
    temperature: float | None = None
    max_output_tokens: int = 8192
    prompts: str = ""
    budget: float | None = None
    budget_per_idea: float | None = None
    confirm_above: float = 1.0
    data: tuple[str, ...] = ("GOOG", "EURUSD")
    env: str = "auto"
    sandbox: str = ""
    workers: int = 0
    timeout: float = 300.0
    limit: int = 0
    only: str = ""
    private_networks: str = ""
    debug_rounds: int = 10
    optimize_rounds: int = 10
    target_return: float | None = None
    target_sharpe: float | None = None
    cash: float = 1_000_000.0
    commission: float = 0.001
    spread: float = 0.0
    margin: float = 1.0
    max_calls: int = 64
    delay: float = 0.5
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    input_tokens_per_minute: int = 0
    output_tokens_per_minute: int = 0
    call_timeout: float = 300.0
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    providers: tuple[Service, ...] = ()
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: MappingProxyType({}))
    prices: Mapping[str, TokenPrice] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def thread_count(self) -> int:
        """Parallel ideas: as set, or 5 to 18 by core count."""
        return self.workers or max(5, min(18, 4 * (os.cpu_count() or 1)))

    def limits_for(self, provider: str) -> RateLimits:
        """What calls to a provider are held to: its own table over the settings for all."""
        whole = RateLimits(
            self.requests_per_minute,
            self.tokens_per_minute,
            self.input_tokens_per_minute,
            self.output_tokens_per_minute,
            self.max_calls,
            self.delay,
        )
        own: Mapping[str, Any] = self.limits.get(provider, {})
        return replace(whole, **own)

    def identity(self) -> dict[str, Any]:
        """The settings that can change a result; later additions only where they are set."""
        default = Settings()
        return {
            s.key: _plain(getattr(self, s.key))
            for s in SETTINGS
            if s.identity and not (s.identity_if_set and getattr(self, s.key) == getattr(default, s.key))
        }

    def money(self) -> dict[str, float | None]:
        """The settings that say how much may be spent: a batch takes them from whoever goes on with it."""
        return {"budget": self.budget, "budget_per_idea": self.budget_per_idea}

    def as_json(self) -> dict[str, Any]:
        """Every setting as a JSON value (never the environment, which holds keys)."""
        return {s.key: _plain(getattr(self, s.key)) for s in SETTINGS}


def load(
    flags: Mapping[str, Any], *, folder: Path, environ: Mapping[str, str], config: Path | None = None
) -> Settings:
    """Resolve the settings for a command started in ``folder``.

    ``flags`` holds only what the command line really said. Raises `UsageError` for an unknown key, a value of
    the wrong kind or out of bounds, or a file that is no TOML.
    """
    everything = {**read_dotenv(folder / ENV_FILE), **environ}
    path = config or folder / CONFIG_FILE
    written = read_toml(path, required=config is not None)
    values: dict[str, Any] = _tables(written, path)
    for key, value in written.items():
        if key not in _TABLES:
            values[key] = checked(BY_KEY[_known(key, path)], value, f"{path}: {key}")
    for setting in SETTINGS:
        if everything.get(setting.variable):
            values[setting.key] = from_text(setting, everything[setting.variable], setting.variable)
    _refuse_misspelt(everything)
    values |= _from_flags(flags)
    return Settings(**values, environ=everything)


def from_record(record: Mapping[str, Any], flags: Mapping[str, Any], current: Settings) -> Settings:
    """The settings of a recorded batch, with what the command line says now on top.

    What was not recorded, because it belongs to this machine or did not exist yet, is as it is now.
    """
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items() if k in BY_KEY}
    return replace(
        Settings(
            environ=current.environ,
            providers=current.providers,
            limits=current.limits,
            prices=current.prices,
        ),
        **{**values, **_from_flags(flags), "results": current.results},
    )


def template() -> str:
    """An ``rbi.toml`` with every setting, its default and what it does, all commented out."""
    default = Settings()
    lines = [
        "# Settings of rbi. Every one is also a command-line flag and an environment variable RBI_<KEY>;",
        "# flags win over the environment, the environment over this file. Keys of models belong in .env.",
        "",
    ]
    for setting in SETTINGS:
        value = getattr(default, setting.key)
        lines.append(f"# {setting.help}")
        lines.append(f"# {setting.key} = {_toml_value(setting.example if value is None else value)}")
        lines.append("")
    return "\n".join([*lines, TABLES_TEMPLATE])


def _from_flags(flags: Mapping[str, Any]) -> dict[str, Any]:
    return {key: from_flag(BY_KEY[key], value) for key, value in flags.items()}


def _tables(written: Mapping[str, Any], path: Path) -> dict[str, Any]:
    if not any(name in written for name in _TABLES):
        return {}
    from rbi.provider_tables import read_tables  # most settings files have none

    tables = read_tables(written, path)
    return {name: getattr(tables, name) for name in _TABLES}


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    """An unknown ``RBI_`` variable that is almost a known one is a slip; any other may be somebody else's."""
    known = [*(setting.variable for setting in SETTINGS), *OTHER_VARIABLES]
    for variable in environ:
        if variable.startswith("RBI_") and variable not in known:
            close = difflib.get_close_matches(variable, known, n=1, cutoff=0.8)
            if close:
                raise UsageError(
                    "unknown setting", where=f"variable {variable}", fix=f"did you mean {close[0]}?"
                )


def _known(key: str, path: Path) -> str:
    if key not in BY_KEY:
        raise UsageError(
            f"unknown setting {key!r}", where=str(path), fix=suggestion(key, [*BY_KEY, *_TABLES])
        )
    return key


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _toml_value(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
