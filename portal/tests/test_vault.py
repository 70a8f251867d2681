"""Sealing and digests with the keys from the settings."""

from uuid import UUID

import pytest
from django.test import override_settings

from portal import vault
from portal.crypto.sealing import SealBroken
from portal.keys.tests import rings


def test_a_pseudonym_is_stable_and_its_parts_are_apart() -> None:
    one = vault.pseudonym("merchant.customer", 1, UUID(int=7))
    assert isinstance(one, UUID)
    assert one == vault.pseudonym("merchant.customer", 1, UUID(int=7))
    others = {
        vault.pseudonym("merchant.customer", 2, UUID(int=7)),
        vault.pseudonym("merchant.customer", 1, UUID(int=8)),
        vault.pseudonym("other", 1, UUID(int=7)),
        vault.pseudonym("merchant.customer", "1" + str(UUID(int=7))),
    }
    assert len(others | {one}) == 5


def test_a_pseudonym_hangs_on_the_pairwise_key_alone() -> None:
    one = vault.pseudonym("p", 1)
    with rings.after(), override_settings(DIGEST_KEY=b"9" * 32):
        assert vault.pseudonym("p", 1) == one
    with override_settings(PAIRWISE_KEY=b"9" * 32):
        assert vault.pseudonym("p", 1) != one


def test_resealing_brings_a_text_under_the_new_key() -> None:
    with rings.before():
        old = vault.seal("p", 1, "text")
    with rings.both():
        new = vault.reseal("p", 1, old)
        assert (vault.key_of(old), vault.key_of(new), vault.current_key()) == ("t1", "t2", "t2")
        assert vault.reseal("p", 1, new) == new
    with rings.after():
        assert vault.unseal("p", 1, new) == "text"
        with pytest.raises(SealBroken):
            vault.unseal("p", 1, old)


def test_resealing_opens_nothing_that_belongs_elsewhere() -> None:
    with rings.before():
        old = vault.seal("p", 1, "text")
    with rings.both(), pytest.raises(SealBroken):
        vault.reseal("p", 2, old)
    assert vault.reseal("p", 1, "") == ""


def test_an_index_key_that_is_not_in_the_ring_is_an_error() -> None:
    with rings.before(), pytest.raises(KeyError):
        vault.blind_index("i2", "p", 1, "value")
