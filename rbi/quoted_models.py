"""The models that a batch would ask, by name: resolved without a key and without asking any server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.cost import PriceTable
from models.errors import ModelError
from models.factory import OFFLINE, ModelFactory, refuse_repeats, split_chain
from models.providers.table import CLAUDE, OLLAMA, OPENAI_COMPATIBLE
from rbi.config import Settings
from rbi.errors import UsageError
from rbi.quote import QuotedModel
from rbi.settings_table import BY_KEY
from rbi.writers import STAGE_SETTINGS

FIRST_SERVED = "(its first model)"

Chains = Mapping[str, Sequence[QuotedModel]]


def named_chains(settings: Settings) -> Chains:
    """The models under the names of their settings: ``model``, and every stage's own where it has some.

    Raises `UsageError` for a name that means no model, and for a list that is none.
    """
    specs = {key: str(getattr(settings, key)) for key in STAGE_SETTINGS.values()}
    named = {"model": settings.model or _default(settings)} | {
        key: spec for key, spec in specs.items() if spec
    }
    return {key: _chain(key, spec, settings) for key, spec in named.items()}


def _chain(key: str, specs: str, settings: Settings) -> tuple[QuotedModel, ...]:
    try:
        models = tuple(_model(part, settings) for part in split_chain(specs))
        refuse_repeats([model.name for model in models], specs)
    except ModelError as error:
        raise UsageError(error.message, where=BY_KEY[key].flag, fix=error.hint) from error
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
