"""Settings in effect, as they may be shown: of a secret only whether it is set."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from billing.privacy.redaction import redact_text
from billing.settings import Settings

_DERIVED = ("live", "tick_s", "lease_s", "connect_timeout_s", "read_timeout_s")


def in_effect(settings: Settings) -> dict[str, Any]:
    """Every setting by its environment name; of a secret only whether it is set."""
    values: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if value is None or isinstance(value, SecretStr):
            values[name.upper()] = "set" if value else "unset"
        else:
            values[name.upper()] = redact_text(value) if isinstance(value, str) else value
    for provider in ("stripe", "paypal"):
        values[f"{provider}_accounts"] = ", ".join(
            code for each, code in settings.provider_accounts if each == provider
        )
    return values | {name: getattr(settings, name) for name in _DERIVED}
