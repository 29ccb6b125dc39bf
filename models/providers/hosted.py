"""What every model reached through an SDK has in common: deadline, redaction, errors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic

from models.base import Account, BaseModel, ModelResponse, Prompt
from models.errors import ConnectionFailed, DeadlineExceeded, ModelError
from models.providers.connection import Client, Connection, Deadline
from models.providers.rejection import Rejection, classify
from models.providers.service import Service
from models.secrets import Secret, public_url, redact, without


class HostedModel(BaseModel, Generic[Client]):
    """A model of a `Service`. Subclasses build the SDK's client and ask it once.

    Errors travel as return values until `generate` raises them, outside of any ``except`` block: the
    SDK's own exceptions hold the request and the provider's unredacted words, and must not be chained.
    """

    def __init__(self, service: Service, model: str, connection: Connection[Client]) -> None:
        self.service = service
        self.provider = service.name
        self.model = model
        self.account = account_of(service, connection.base_url, connection.key)
        self._connection = connection

    @staticmethod
    @abstractmethod
    def build_client(base_url: str, key: Secret, on_request: Callable[[Any], None]) -> Any:
        """The SDK's client; ``on_request`` has to see each HTTP request before it is sent."""

    @abstractmethod
    def _ask_once(self, client: Client, prompt: Prompt, deadline: Deadline) -> ModelResponse | ModelError:
        """One answer, or what prevented it."""

    def generate(self, prompt: Prompt, *, deadline_s: float) -> ModelResponse:
        """See `BaseModel.generate`."""
        client = self._connection.client()
        with self._connection.limit(deadline_s) as deadline:
            outcome = self._ask_once(client, prompt, deadline)
        if isinstance(outcome, ModelError):
            raise outcome
        return replace(outcome, text=self._kept(outcome.text), model=self._kept(outcome.model))

    def _kept(self, text: str) -> str:
        """Words of the provider that can be written down: valid Unicode, and without the key if it sent that back."""
        return without(text.encode("utf-8", "replace").decode(), self._connection.key)

    def _rejected(self, rejection: Rejection) -> ModelError:
        error = classify(rejection, self.service, self.model)
        error.message = redact(error.message, [self._connection.key])
        error.args = (error.message,)
        return error

    def _broken(self, error: Exception, deadline: Deadline) -> ModelError:
        """The connection failed, or was cut because the time was up."""
        if deadline.passed:
            return DeadlineExceeded(
                f"{self.name} had not answered in full after {deadline.seconds:g} s",
                hint="Allow more time per call, or use a faster model.",
                model=self.model,
            )
        cause = error.__cause__ or error
        said = redact(f"{type(cause).__name__}: {cause}", [self._connection.key])
        return ConnectionFailed(
            f"no complete answer from {self.account.base_url}: {said}",
            hint=f"Check the network, and {self.service.base_url_variable} if it is set.",
            model=self.model,
        )


def account_of(service: Service, base_url: str, key: Secret) -> Account:
    """The account that calls with this key at this address belong to."""
    return Account(service.name, public_url(base_url), key.digest())
