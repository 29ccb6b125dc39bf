"""The models that a batch would ask, by name: resolved without a key and without asking any server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.cost import PriceTable
from models.errors import ModelError
from models.factory import OFFLINE, ModelFactory
from models.providers.table import CLAUDE, OLLAMA, OPENAI_COMPATIBLE
from rbi.config import Settings
from rbi.errors import ExitCode, RbiError, UsageError
from rbi.quote import QuotedModel
from rbi.writers import STAGE_SETTINGS

FIRST_SERVED = "(its first model)"

Chains = Mapping[str, Sequence[QuotedModel]]


def named_chains(settings: Settings) -> Chains:
    """The models under the names of their settings: ``model``, and every stage's own where it has some.

    Raises `RbiError` for a name that means no model.
    """
    specs = {key: str(getattr(settings, key)) for key in STAGE_SETTINGS.values()}
    try:
        own = {key: _chain(spec, settings) for key, spec in specs.items() if spec}
        return {"model": _chain(settings.model or _default(settings), settings), **own}
    except ModelError as error:
        raise RbiError(error.message, fix=error.hint, exit_code=ExitCode.USAGE) from error


def _chain(specs: str, settings: Settings) -> tuple[QuotedModel, ...]:
    parts = [part.strip() for part in specs.split(",")]
    if not all(parts):
        raise UsageError(
            f"an empty name in the list of models {specs!r}",
            where="--model",
            fix="write names with one comma between two of them, such as claude,openai",
        )
    models = tuple(_model(part, settings) for part in parts)
    twice = [model.name for n, model in enumerate(models) if model in models[:n]]
    if twice:
        raise UsageError(
            f"{twice[0]} is twice in the list of models {specs!r}",
            where="--model",
            fix="name each model once",
        )
    return models


def _default(settings: Settings) -> str:
    """The provider that would be chosen by the keys that are set."""
    # Whether an Ollama runs is seen by asking it. It costs nothing, like the offline writer that is named instead.
    nowhere = {str(OLLAMA.base_url_variable): "-"}
    return ModelFactory({**settings.environ, **nowhere}, own=settings.providers).default()


def _model(spec: str, settings: Settings) -> QuotedModel:
    factory = ModelFactory(settings.environ, own=settings.providers, prices=PriceTable(settings.prices))
    provider, _, model = spec.partition(":")
    if provider.strip().lower() == OFFLINE or model.strip():
        named = factory.describe(spec)
        name = named.model
    else:
        # With a model's name nobody is asked for one.
        named = factory.describe(f"{provider}:{FIRST_SERVED}")
        services = (*OPENAI_COMPATIBLE, CLAUDE, *settings.providers)
        name = {s.name: s.default_model for s in services}[named.provider] or FIRST_SERVED
    return QuotedModel(named.provider, name, bool(named.key_variable), named.is_language_model)
