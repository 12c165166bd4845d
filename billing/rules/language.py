"""The language in which a customer is written to."""

from __future__ import annotations

LANGUAGES = ("en", "de", "fr", "es")
"""The first is for everyone who speaks none of the others."""

_COUNTRIES = {
    "de": "AT CH DE LI",
    "fr": "BE BF BJ CD CG CI CM FR GA GF GN GP LU MC MG ML MQ NC NE PF RE SN TG YT",
    "es": "AR BO CL CO CR CU DO EC ES GT HN MX NI PA PE PR PY SV UY VE",
}
_LANGUAGE_OF = {country: language for language, countries in _COUNTRIES.items() for country in countries.split()}


def language_of(country: str) -> str:
    """The language by the customer's country (ISO 3166-1 alpha-2), the commonest where it has several."""
    return _LANGUAGE_OF.get(country, LANGUAGES[0])
