"""A request can ask for less, never for more."""

import pytest

from pki.x509.asking import Asked, Granted, check_asked, words
from pki.x509.findings import RequestRefused
from pki.x509.profiles import DEVICE, PROFILES, TERMINAL, Profile


def refused(asked: Asked, profile: Profile = DEVICE, kind: str = "p256") -> tuple[str, ...]:
    with pytest.raises(RequestRefused) as error:
        check_asked(asked, profile, kind)
    return error.value.rules


def test_nothing_asked_gives_all_of_the_profile() -> None:
    assert check_asked(Asked(), DEVICE, "rsa-2048") == Granted(
        frozenset({"digital-signature", "key-encipherment"}), ("client-auth",), 365
    )
    assert check_asked(Asked(), DEVICE, "p256").uses == {"digital-signature"}


def test_less_is_given_when_less_is_asked() -> None:
    asked = Asked(uses=("digital-signature",), purposes=("client-auth",), days=30)
    assert check_asked(asked, TERMINAL, "rsa-2048") == Granted(frozenset({"digital-signature"}), ("client-auth",), 30)


def test_the_printed_sample_is_refused_by_both_its_names() -> None:
    asked = Asked(
        uses=words(["DIGITAL_SIGNATURE", "KEY_ENCIPHERMENT", "DATA_ENCIPHERMENT"]),
        purposes=words(["CLIENT_AUTH", "SERVER_AUTH"]),
        days=365,
    )
    assert refused(asked, kind="rsa-2048") == ("asks-data-encipherment", "asks-server-auth")


def test_every_use_and_purpose_beyond_has_its_own_rule() -> None:
    assert refused(Asked(uses=words(["KEY_CERT_SIGN", "CRL_SIGN"]))) == ("asks-key-cert-sign", "asks-crl-sign")
    assert refused(Asked(purposes=("code-signing", "any-extended-key-usage"))) == (
        "asks-code-signing",
        "asks-any-extended-key-usage",
    )
    assert refused(Asked(ca=True)) == ("asks-ca",)


@pytest.mark.parametrize("word", ["", "FLY", "<b>", "1.2.3", "9" * 99])
def test_an_unknown_word_is_refused_and_not_repeated(word: str) -> None:
    with pytest.raises(RequestRefused) as error:
        check_asked(Asked(uses=words([word])), DEVICE, "p256")
    assert error.value.rules == ("asks-unknown",)
    assert "<" not in error.value.findings[0].sentence


@pytest.mark.parametrize("days", [0, -1, 398, 10**9])
def test_no_longer_than_the_profile(days: int) -> None:
    assert refused(Asked(days=days)) == ("asks-too-long",)


def test_empty_lists_are_refused() -> None:
    assert refused(Asked(uses=())) == ("asks-no-use",)
    assert refused(Asked(purposes=())) == ("asks-no-use",)


def test_no_profile_for_devices_makes_authorities() -> None:
    for name in ("device", "terminal", "partner"):
        profile = PROFILES[name]
        assert not profile.ca
        assert profile.max_days <= 397
        assert not profile.uses_for("rsa-2048") & {"key-cert-sign", "crl-sign", "data-encipherment"}
    assert [name for name, profile in PROFILES.items() if "server-auth" in profile.purposes] == ["terminal"]
