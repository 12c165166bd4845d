"""The signing secrets of an endpoint, sealed under its own data key."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from billing.models import Endpoint
from billing.privacy.sealed import seal, unseal


def seal_secret(secret: str, *, key: bytes, endpoint_id: UUID) -> bytes:
    """Seal for the endpoint's row; the newest and the former one are sealed alike, so that one can become the other."""
    return seal(key, secret.encode(), table="endpoint", row=endpoint_id, column="secret")


def secrets_in_force(endpoint: Endpoint, *, key: bytes, wall: datetime) -> list[str]:
    """The secrets that sign at this wall time, newest first. Raises `SealBroken`."""
    sealed = [endpoint.secret]
    if endpoint.former_secret is not None and endpoint.former_until is not None and wall < endpoint.former_until:
        sealed.append(endpoint.former_secret)
    return [unseal(key, each, table="endpoint", row=endpoint.id, column="secret").decode() for each in sealed]
