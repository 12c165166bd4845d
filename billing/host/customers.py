"""Who pays, and by what."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from billing.commands.profile.change import change_profile
from billing.commands.profile.create import create_profile
from billing.flows import links, payment_methods
from billing.host.acting import Acting
from billing.host.joining import HostSession, within
from billing.host.owning import check_own
from billing.kernel.errors import Fault, Refused
from billing.models import Profile
from billing.queries.payment_method import the_provider_account
from billing.validators.checks import Checks
from billing.validators.payment_method import Consent
from billing.validators.profile import NewProfile, ProfileChange


class Customers(Acting):
    """Profiles and payment methods."""

    def create_profile(self, new: NewProfile, *, session: HostSession | None = None) -> UUID:
        """A customer, for one account of the host."""
        with within(self.parts, session) as tx:
            made = create_profile(tx, self.parts.keyring, seller_id=self.seller_id, new=new, now=self._now(tx))
            return made.id

    def change_profile(
        self,
        profile_id: UUID,
        change: ProfileChange,
        *,
        expected_version: int | None = None,
        session: HostSession | None = None,
    ) -> None:
        """The new state, whole: what is left out is gone."""
        with self._about("profile", profile_id, session) as tx:
            change_profile(
                tx,
                self.parts.keyring,
                profile_id=profile_id,
                change=change,
                now=self._now(tx),
                expected_version=expected_version,
            )

    def profile_of(self, account_id: str, *, session: HostSession | None = None) -> UUID:
        """The customer of that account of the host. Raises `Refused` (`profile_not_found`)."""
        checks = Checks()
        checks.storable("account_id", account_id)
        checks.done()
        of = select(Profile.id).where(Profile.seller_id == self.seller_id, Profile.account_id == account_id)
        with within(self.parts, session) as tx:
            found = tx.scalars(of).one_or_none()
        if found is None:
            raise Refused(Fault("account_id", "profile_not_found", "create the customer first"))
        return found

    def profile_link(self, profile_id: UUID, *, session: HostSession | None = None) -> str:
        """An address of the customer's page: all that is open, and the payment method. For the customer alone."""
        with self._about("profile", profile_id, session) as tx:
            return links.profile_link(self.parts, tx, profile_id)

    # What calls the provider stands in no transaction of the host's: a call may take seconds, or its answer be lost.

    def begin_payment_method(
        self,
        profile_id: UUID,
        consent: Consent,
        *,
        provider: str = "stripe",
        account: str = "default",
        kind: str | None = None,
    ) -> payment_methods.MethodStarted:
        """Begin a method: what comes back goes to the provider's own form. Calls the provider.

        `kind`: one that the seller offers (`method_kinds`); without it the first of them.
        """
        with self.parts.begin() as tx:
            check_own(tx, self.seller_id, "profile", profile_id)
            account_id = the_provider_account(tx, provider=provider, code=account).id
        return payment_methods.add(
            self.parts, profile_id=profile_id, provider_account_id=account_id, consent=consent, kind=kind
        )

    def adopt_payment_method(
        self,
        profile_id: UUID,
        method_ref: str,
        consent: Consent,
        *,
        provider: str = "stripe",
        account: str = "default",
        mandate_ref: str | None = None,
        as_default: bool = False,
    ) -> UUID:
        """Take over a method that the provider keeps already, by its id there. Calls the provider.

        Raises `Refused` (`method_unknown`, `mandate_unknown`) where it keeps none of that id.
        """
        with self.parts.begin() as tx:
            check_own(tx, self.seller_id, "profile", profile_id)
            account_id = the_provider_account(tx, provider=provider, code=account).id
        made = payment_methods.adopt(
            self.parts,
            profile_id=profile_id,
            provider_account_id=account_id,
            method_ref=method_ref,
            consent=consent,
            mandate_ref=mandate_ref,
            as_default=as_default,
        )
        return made.id

    def complete_payment_method(self, method_id: UUID) -> None:
        """Look whether the customer has completed it; the provider's event does so too. Calls the provider."""
        self._require("payment_method", method_id)
        payment_methods.complete(self.parts, method_id=method_id)

    def make_default(self, method_id: UUID) -> None:
        """Charge this one from now on; what is open is tried at once."""
        self._require("payment_method", method_id)
        payment_methods.make_default(self.parts, method_id=method_id)

    def remove_payment_method(self, method_id: UUID) -> None:
        """Charge it no more, here and there. Calls the provider."""
        self._require("payment_method", method_id)
        payment_methods.remove(self.parts, method_id=method_id)
