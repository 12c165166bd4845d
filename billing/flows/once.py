"""A request that is carried out once: its answer is kept in the transaction of its effect (DECISIONS 37).

A refusal keeps nothing, for nothing was done: the same request may be made again under its key.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.api_answer.claim import StoredAnswer, claim_key, find_answer
from billing.commands.api_answer.keep import keep_answer
from billing.flows.parts import Parts
from billing.kernel.errors import BillingError, Fault, Refused
from billing.kernel.failpoints import failpoint
from billing.privacy.keyring import Keyring
from billing.privacy.sealed import SealBroken, unseal

_REQUEST, _ANSWER = "api request", "api answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and JSON of an answer."""

    status: int
    body: str = field(repr=False)
    replayed: bool = False


class AlreadyAnswered(BillingError):
    """Another request under the key was faster, and is over: its answer is this one's too."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("answered already")
        self.answer = answer


class Once:
    """One request under its key. `tell` reads the answer to it within the transaction of its effect."""

    def __init__(
        self, keyring: Keyring, *, seller_id: UUID, key: str, request: bytes, tell: Callable[[Session], Answer]
    ) -> None:
        """`request`: all of it that makes it another one (method, path, body)."""
        self._keyring, self._tell = keyring, tell
        self._seller_id, self._key = seller_id, key
        # Keyed: a body that holds a name must not be guessed from its hash. Each key, for masters are rotated.
        derived = keyring.derive_each(_REQUEST)
        self._hashes = {id_: hmac.digest(each, request, "sha256") for id_, each in derived.items()}
        self.answer: Answer | None = None
        """Set once it is kept; durable only when the transaction is."""

    def before(self, session: Session) -> Answer | None:
        """What the request was answered before, where it was. Raises `MasterKeyMissing` where a process with another
        master key has answered; `Refused` (`idempotency_key_reused`)."""
        return self._opened(find_answer(session, seller_id=self._seller_id, key=self._key, hashes=self._hashes))

    def claim(self, session: Session) -> None:
        """Hold the key for this transaction, before anything is done.

        Raises `AlreadyAnswered`, `MasterKeyMissing`; `Refused`: `idempotency_key_in_use`, `idempotency_key_reused`.
        """
        stored = claim_key(session, seller_id=self._seller_id, key=self._key, hashes=self._hashes)
        answer = self._opened(stored)
        if answer is not None:
            raise AlreadyAnswered(answer)

    def keep(self, session: Session) -> None:
        """Read the answer and keep it, after everything was done."""
        session.flush()
        failpoint("once.keep")
        self.answer = self._tell(session)
        newest = self._keyring.master_ids[0]
        keep_answer(
            session,
            seller_id=self._seller_id,
            key=self._key,
            request_hash=self._hashes[newest],
            master_id=newest,
            status=self.answer.status,
            body=self.answer.body,
            sealing_key=self._keyring.derive(_ANSWER),
        )

    def _opened(self, stored: StoredAnswer | None) -> Answer | None:
        if stored is None:
            return None
        for key in self._keyring.derive_all(_ANSWER):
            try:
                plain = unseal(key, stored.body, table="api_answer", row=stored.id, column="body")
            except SealBroken:
                continue
            return Answer(stored.status, plain.decode(), replayed=True)
        mend = "the request was carried out; its answer was sealed under a master key that is gone; read the result"
        raise Refused(Fault("Idempotency-Key", "answer_unreadable", mend))


@contextmanager
def answered(parts: Parts, once: Once | None) -> Iterator[Session]:
    """A transaction: the key is claimed first, the answer kept last. Without `once`, just a transaction.

    Raises as `Once.claim` does.
    """
    with parts.begin() as session:
        if once is not None:
            once.claim(session)
        yield session
        if once is not None:
            once.keep(session)
