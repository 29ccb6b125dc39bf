"""What every model reached through an SDK has in common: the way of one question, redaction, errors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import astuple, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from models.base import Account, BaseModel, ModelResponse, Prompt, RateReport
from models.errors import BadRequest, BadSetting, ConnectionFailed, DeadlineExceeded, ModelError
from models.providers.classification import address_of, classify
from models.providers.connection import Client, Connection
from models.providers.deadline import Deadline
from models.providers.dialect import Dialect
from models.providers.exchange import SDK, Exchange, Request, exchange
from models.providers.rate_headers import rate_report
from models.providers.rejection import Rejection
from models.providers.reply import Reply
from models.providers.service import Service
from models.secrets import Secret, public_url, redact, without

if TYPE_CHECKING:
    import httpx2

# Refused parameters come one at a time, and there are not many that can be changed.
_MOST_ROUNDS = 6

# No answer has so many, and no database a column for any number that JSON can hold.
_MOST_TOKENS = 10**12

# Longer bodies with status 200 are answers: these are not read twice.
_LONGEST_REFUSAL = 4096

_LONGEST_ADDRESS = 300

Opened = Callable[[RateReport], None]


class HostedModel(BaseModel, Generic[Client]):
    """A model of a `Service`. Subclasses know the protocol: the SDK, the request and the answer.

    Errors travel as return values until `generate` raises them, outside of any ``except`` block: the
    SDK's own exceptions hold the request and the provider's unredacted words, and must not be chained.
    """

    path: ClassVar[str]
    """Of the questions, below the service's address."""

    def __init__(self, service: Service, model: str, connection: Connection[Client]) -> None:
        self.service = service
        self.provider = service.name
        self.model = model
        self.account = account_of(service, connection.base_url, connection.key)
        self._connection = connection

    @staticmethod
    @abstractmethod
    def build_client(base_url: str, key: Secret, http: httpx2.Client) -> Any:
        """The SDK's client, with its retries off, over ``http``."""

    @staticmethod
    @abstractmethod
    def _sdk() -> SDK:
        """The SDK's module."""

    @abstractmethod
    def _first_dialect(self) -> Dialect:
        """How the model is asked before anything was learned."""

    @abstractmethod
    def _request(self, prompt: Prompt, dialect: Dialect) -> Request:
        """What is sent."""

    @abstractmethod
    def _read(self, body: bytes) -> Reply:
        """What the body of an answer says, as far as it came."""

    def get_ready(self) -> None:
        """See `BaseModel.get_ready`."""
        self._sdk()

    def generate(self, prompt: Prompt, *, deadline_s: float, opened: Opened | None = None) -> ModelResponse:
        """See `BaseModel.generate`."""
        with self._connection.line(deadline_s) as (line, deadline):
            outcome = self._ask(line.client, prompt, deadline, opened)
        if isinstance(outcome, ModelError):
            raise outcome
        return outcome

    def _ask(
        self, client: Client, prompt: Prompt, deadline: Deadline, opened: Opened | None
    ) -> ModelResponse | ModelError:
        """Send the prompt, and again for each parameter that is refused: that costs nothing."""
        known = self._dialect()
        dialect = known
        for _ in range(_MOST_ROUNDS):
            request = self._request(prompt, dialect)
            answer = self._send(client, request, deadline, opened)
            outcome = self._outcome(answer, deadline, goes_on=bool(prompt.continuing))
            changed = self._changed(dialect, known, request, self._refusal(answer))
            if changed == dialect:
                break
            dialect = changed
        if dialect != known and not isinstance(outcome, BadRequest):
            self._connection.dialects[self.model] = dialect
        return outcome

    def _dialect(self) -> Dialect:
        return self._connection.dialects.get(self.model) or self._first_dialect()

    def _refusal(self, answer: Exchange) -> Rejection | None:
        """The refusal of the request, which some services send with status 200; ``None`` if it was not refused."""
        if answer.status in (400, 422):
            return Rejection.of_answer(answer.status, answer.headers, answer.body)
        if answer.status != 200 or answer.broken or len(answer.body) > _LONGEST_REFUSAL:
            return None
        reply = self._read(answer.body)
        # What was refused in the middle of an answer may have to be paid for, and so may the next try.
        return None if reply.text or reply.usage else reply.rejection

    def _changed(self, sent: Dialect, known: Dialect, request: Request, refusal: Rejection | None) -> Dialect:
        if refusal is None or refusal.status not in (400, 422):
            return sent
        learned = self._dialect()
        if sent == known != learned:
            return learned  # by another thread, from the same refusal
        return sent.after(refusal, request.body)

    def _send(self, client: Client, request: Request, deadline: Deadline, opened: Opened | None) -> Exchange:
        def accepted(headers: Mapping[str, str]) -> None:
            if opened is not None:
                opened(self._rate(headers) or RateReport())

        return exchange(
            self._sdk(),
            client,
            request,
            deadline,
            accepted=accepted,
            ended=lambda seconds: self._connection.hurry(deadline, seconds),
        )

    def _outcome(self, answer: Exchange, deadline: Deadline, *, goes_on: bool) -> ModelResponse | ModelError:
        if answer.status is None:
            return self._broken(answer, deadline, Reply())
        if answer.moved_to:
            return self._redirected(answer)
        if answer.status >= 300:
            return self._rejected(Rejection.of_answer(answer.status, answer.headers, answer.body), Reply())
        reply = self._read(answer.body)
        if reply.usage is not None and max(astuple(reply.usage)) > _MOST_TOKENS:
            reply.usage = None
        if reply.rejection is not None:
            return self._rejected(replace(reply.rejection, headers=answer.headers), reply)
        if answer.broken and reply.finish is None:
            return self._broken(answer, deadline, reply)
        outcome = reply.judged(self.provider, self.model, goes_on=goes_on)
        rate = self._rate(answer.headers)
        if isinstance(outcome, ModelError):
            outcome.rate = rate
            return self._redacted(outcome)
        request_id = answer.headers.get("x-request-id") or answer.headers.get("request-id")
        return replace(
            outcome,
            text=self._kept(outcome.text),
            model=self._kept(outcome.model),
            request_id=self._kept(request_id) if request_id else None,
            rate=rate,
        )

    def _rate(self, headers: Mapping[str, str]) -> RateReport | None:
        return rate_report(headers, datetime.now(UTC), request_period_s=self.service.request_period_s)

    def _kept(self, text: str) -> str:
        """Words of the provider that can be written down: valid Unicode, and without the key if it sent that back."""
        return without(text.encode("utf-8", "replace").decode(), self._connection.key)

    def _redacted(self, error: ModelError) -> ModelError:
        error.message = redact(error.message, [self._connection.key])
        error.args = (error.message,)
        if error.model is not None:
            error.model = self._kept(error.model)
        return error

    def _rejected(self, rejection: Rejection, reply: Reply) -> ModelError:
        error = classify(rejection, self.service, reply.model or self.model)
        error.usage, error.reported_cost_usd = reply.usage, reply.cost_usd
        return self._redacted(error)

    def _redirected(self, answer: Exchange) -> ModelError:
        """Following it could turn the question into one for a page, or give the key to somebody else."""
        address = public_url(answer.moved_to).removesuffix(self.path)[:_LONGEST_ADDRESS]
        shown = redact(self._kept(address), [self._connection.key])
        return BadSetting(
            f"{self.account.base_url} answered {answer.status}: it has moved to {shown}",
            hint=f"If you trust that address, set {address_of(self.service)} to {shown}.",
            status=answer.status,
            model=self.model,
        )

    def _broken(self, answer: Exchange, deadline: Deadline, reply: Reply) -> ModelError:
        """The connection failed, or was cut because the time was up."""
        facts = {**reply.facts(self.model), "rate": self._rate(answer.headers)}
        if answer.unsent:  # nobody can charge for it
            facts["reported_cost_usd"] = 0.0
        # The watching thread may be a moment late for a connection that gave up by itself.
        if deadline.passed or not deadline.left_s():
            return DeadlineExceeded(
                f"{self.name} had not answered in full after {deadline.seconds:g} s",
                hint="Allow more time per call, or use a faster model.",
                **facts,
            )
        return self._redacted(
            ConnectionFailed(
                f"no complete answer from {self.account.base_url}: {answer.broken}",
                hint=f"Check the network, that the server is running, and {address_of(self.service)}.",
                **facts,
            )
        )


def account_of(service: Service, base_url: str, key: Secret) -> Account:
    """The account that calls with this key at this address belong to."""
    return Account(service.name, public_url(base_url), key.digest() if service.needs_key else "")


def written(text: str) -> str:
    """Text that can be sent: a lone surrogate, which UTF-8 cannot hold, becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
