"""Settings of provider accounts: their keys, what their deliveries are verified with, what browsers get."""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import Literal, Self

from dotenv import dotenv_values
from pydantic import SecretStr, model_validator

from billing.settings.entered import Entered
from billing.settings.forms import Address, AddressOrNone, CertificatesFile, listed

CODE_LETTERS = "A-Z0-9_"
"""What an account's code is made of in the name of a variable; it is in small letters everywhere else."""
_OF_AN_ACCOUNT = re.compile(
    "(STRIPE_(?:API_KEY|WEBHOOK_SECRET|PUBLISHABLE_KEY)|PAYPAL_(?:CLIENT_ID|CLIENT_SECRET|WEBHOOK_ID))__(.*)",
    re.IGNORECASE | re.DOTALL,
)
_KEY = re.compile(r"(?:[sr]k|sk_org)_(?:test|live)_[^\s\"']+")
"""Secret, restricted and organization keys (https://docs.stripe.com/keys)."""
_LIVE = "_live_"


class Accounts(Entered):
    """Accounts are named by what follows two underscores: `STRIPE_API_KEY__SHOP` is `shop`, without it `default`."""

    stripe_api_key: SecretStr | None = None
    stripe_webhook_secret: SecretStr | None = None
    """Several, comma-separated, newest first, while a secret is rotated."""
    stripe_api_base: AddressOrNone = None
    stripe_publishable_key: str | None = None
    """What the customer's page tells the provider's script: no secret. `STRIPE_PUBLISHABLE_KEY__<CODE>` for others."""
    stripe_js_url: Address = "https://js.stripe.com/endive/stripe.js"
    """The provider's script on the customer's page; its release goes with the API version of the adapter."""
    paypal_client_id: str | None = None
    """PayPal's REST application; `PAYPAL_CLIENT_ID__<CODE>` and `PAYPAL_CLIENT_SECRET__<CODE>` are other accounts."""
    paypal_client_secret: SecretStr | None = None
    paypal_mode: Literal["sandbox", "live"] = "sandbox"
    """Which of PayPal's two worlds the credentials are of: they don't say it themselves."""
    paypal_webhook_id: str | None = None
    """The id of the webhook that PayPal delivers to, which its signatures name; several while one is replaced."""
    paypal_api_base: AddressOrNone = None
    paypal_cert_roots: CertificatesFile = None
    """A file of certificates (PEM) that PayPal's webhooks may be signed under, in place of the well-known ones."""

    @model_validator(mode="after")
    def _accounts_are_named(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        for name, value in self.surroundings.items():
            match = _OF_AN_ACCOUNT.fullmatch(name)
            if not (match and value):
                continue
            if not re.fullmatch(rf"{match[1].upper()}__[{CODE_LETTERS}]+", name):
                raise ValueError(f"{name}: write it in capitals, with the account's code of A to Z, 0 to 9 and _")
            if match[2] == "DEFAULT":
                raise ValueError(f"{name}: the account default is {match[1]}; give it there, or another code")
        return self

    @model_validator(mode="after")
    def _keys_are_as_stripe_gives_them(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        for code, key in self.stripe_keys.items():
            if not _KEY.fullmatch(key):
                mend = (
                    "give the key as Stripe shows it: sk, rk or sk_org, then _test_ or _live_, no quotes or white space"
                )
                raise ValueError(f"{_named('STRIPE_API_KEY', code)}: {mend}")
        return self

    @model_validator(mode="after")
    def _credentials_are_pairs(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        ids, secrets = self._of_accounts("PAYPAL_CLIENT_ID"), self._of_accounts("PAYPAL_CLIENT_SECRET")
        for code in sorted(ids.keys() ^ secrets.keys()):
            names = _named("PAYPAL_CLIENT_ID", code), _named("PAYPAL_CLIENT_SECRET", code)
            given, missing = names if code in ids else names[::-1]
            raise ValueError(f"{missing}: give it beside {given}, from the same application, or unset both")
        return self

    @model_validator(mode="after")
    def _browsers_get_no_secret(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        for code, key in self._of_accounts("STRIPE_PUBLISHABLE_KEY").items():
            name = _named("STRIPE_PUBLISHABLE_KEY", code)
            if not re.fullmatch(r"pk_(test|live)_\w+", key, re.ASCII):
                raise ValueError(f"{name}: browsers get a publishable key, which begins with pk_; this one is another")
            secret = self.stripe_keys.get(code)
            if secret is not None and (_LIVE in secret) is not key.startswith("pk_live_"):
                raise ValueError(f"{name}: its mode is not that of the account's secret key; take both from one mode")
        return self

    @property
    def live(self) -> bool:
        """True where any configured provider key moves real money."""
        return any(self.provider_accounts.values())

    @cached_property
    def surroundings(self) -> dict[str, str | None]:
        """All names of `.env` and of the environment, which wins: accounts beside `default` have names of their own."""
        return dotenv_values(".env") | dict(os.environ)

    @cached_property
    def stripe_keys(self) -> dict[str, str]:
        """API key by account code. `STRIPE_API_KEY` is `default`, `STRIPE_API_KEY__SHOP` is `shop`."""
        return self._of_accounts("STRIPE_API_KEY")

    @cached_property
    def paypal_credentials(self) -> dict[str, tuple[str, str]]:
        """Client id and secret by account code. `PAYPAL_CLIENT_ID` is `default`, `PAYPAL_CLIENT_ID__SHOP` is `shop`."""
        secrets = self._of_accounts("PAYPAL_CLIENT_SECRET")
        return {code: (each, secrets[code]) for code, each in self._of_accounts("PAYPAL_CLIENT_ID").items()}

    @property
    def provider_accounts(self) -> dict[tuple[str, str], bool]:
        """Every account that a key is set for, by provider and code; whether it moves real money."""
        stripe = {("stripe", code): _LIVE in key for code, key in self.stripe_keys.items()}
        return stripe | {("paypal", code): self.paypal_mode == "live" for code in self.paypal_credentials}

    def webhook_secrets(self, account: str, *, provider: str = "stripe") -> list[str]:
        """What an account's deliveries are verified with, newest first; empty means closed."""
        name = "PAYPAL_WEBHOOK_ID" if provider == "paypal" else "STRIPE_WEBHOOK_SECRET"
        return listed(self._of_accounts(name).get(account, ""))

    def publishable_key(self, account: str) -> str | None:
        """The account's key for browsers; it says nothing that a visitor may not know."""
        return self._of_accounts("STRIPE_PUBLISHABLE_KEY").get(account)

    def _of_accounts(self, name: str) -> dict[str, str]:
        """What is set of this kind, by account code; what is set to nothing is not set."""
        default = getattr(self, name.lower())
        found = {"default": default.get_secret_value() if isinstance(default, SecretStr) else default}
        for each, value in self.surroundings.items():
            base, _, code = each.partition("__")
            if base == name and code:
                found[code.lower()] = value
        return {code: value for code, value in found.items() if value}


def _named(name: str, account: str) -> str:
    """The variable of one account."""
    return name if account == "default" else f"{name}__{account.upper()}"
