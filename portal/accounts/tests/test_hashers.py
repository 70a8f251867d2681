"""How client secrets are kept."""

import pytest

from portal.accounts.hashers import ClientSecretHasher

hasher = ClientSecretHasher()


def test_a_secret_is_verified_and_another_is_not() -> None:
    kept = hasher.encode("s3cret", hasher.salt())
    assert hasher.verify("s3cret", kept)
    assert not hasher.verify("s3creT", kept)
    assert "s3cret" not in kept


def test_the_same_secret_is_kept_differently_each_time() -> None:
    assert hasher.encode("s", hasher.salt()) != hasher.encode("s", hasher.salt())


@pytest.mark.parametrize(
    "kept", ["", "x", "portal_client_secret$a", "md5$a$b", "portal_client_secret$a$b$c", "a$b$c"]
)
def test_what_is_no_hash_of_ours_verifies_nothing(kept: str) -> None:
    assert not hasher.verify("", kept)


def test_a_salt_with_the_separator_is_refused() -> None:
    with pytest.raises(ValueError, match="salt"):
        hasher.encode("s", "a$b")


def test_the_summary_shows_nothing_of_the_secret() -> None:
    assert hasher.safe_summary(hasher.encode("s", "salt")) == {"algorithm": "portal_client_secret"}
