"""What stands inside parameters: its names are known too and others refused, whether or not it changes anything."""

from __future__ import annotations

from billing.sandbox.stripe.objects import aftermath
from billing.sandbox.stripe.params import ANY, TEXT, Field, Spec, hash_of

_PLACE: Spec = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"), TEXT)
ADDRESS = Field("hash", inside=_PLACE, clears=True)
SHIPPING = Field("hash", inside={"address": hash_of(**_PLACE), "name": TEXT, "phone": TEXT}, clears=True)

EVIDENCE = hash_of(**dict.fromkeys(aftermath.EVIDENCE, TEXT), enhanced_evidence=ANY)

_SET_UP = """mandate_options moto network request_three_d_secure setup_credential_usage three_d_secure""".split()
_CHARGED = """capture_method cvc_token installments request_extended_authorization request_incremental_authorization
    request_multicapture request_overcapture require_cvc_recollection setup_future_usage
    statement_descriptor_suffix_kana statement_descriptor_suffix_kanji stored_credential_usage""".split()
_OTHERS: Spec = {"link": ANY, "paypal": ANY, "sepa_debit": ANY}
"""By the kinds of methods that the stand-in has."""
SET_UP_OPTIONS = hash_of(card=hash_of(**dict.fromkeys(_SET_UP, ANY)), **_OTHERS)
CHARGE_OPTIONS = hash_of(card=hash_of(**dict.fromkeys([*_SET_UP, *_CHARGED], ANY)), **_OTHERS)
