"""Keyed hashes: equal for what counts as equal, useless without the key."""

from __future__ import annotations

import os

import pytest

from billing.privacy.blind_index import blind_index, content_hash, normalised

KEY = os.urandom(32)


@pytest.mark.parametrize("same", ["ada@example.com", " Ada@Example.COM ", "\uff21da@example.com", "ADA@EXAMPLE.COM\n"])
def test_form_case_and_space_make_no_difference(same: str) -> None:
    assert blind_index(KEY, same) == blind_index(KEY, "ada@example.com")


def test_runs_of_space_inside_count_as_one() -> None:
    assert normalised("Ada \t Lovelace") == "ada lovelace"


def test_other_values_and_other_keys_differ() -> None:
    assert blind_index(KEY, "ada@example.com") != blind_index(KEY, "bob@example.com")
    assert blind_index(KEY, "ada@example.com") != blind_index(os.urandom(32), "ada@example.com")


def test_a_documents_hash_fixes_every_byte_under_its_key() -> None:
    snapshot = b'{"total": 1190}'
    assert content_hash(KEY, snapshot) == content_hash(KEY, snapshot)
    assert content_hash(KEY, snapshot) != content_hash(KEY, snapshot + b" ")
    assert content_hash(KEY, snapshot) != content_hash(os.urandom(32), snapshot)
    assert len(content_hash(KEY, snapshot)) == 32


def test_a_documents_hash_and_an_index_never_share_a_key() -> None:
    assert content_hash(KEY, b"ada") != blind_index(KEY, "ada")
