"""Certificates: what is in them, that the CA's key signs only what was linted, and what the linter refuses."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pki.x509.alternative_names import AlternativeName
from pki.x509.asking import Asked, check_asked
from pki.x509.building import Prepared, issue, prepare
from pki.x509.describe import describe_certificate
from pki.x509.external_keys import ExternalECKey
from pki.x509.keys_policy import KINDS
from pki.x509.linting import LintRefused, lint
from pki.x509.orders import Issuer, Order, Subject, validity
from pki.x509.profiles import DEVICE, ISSUING, PARTNER, PROFILES, RESPONDER, TERMINAL, Profile
from pki.x509.rules import LINT_RULES
from pki.x509.signing import holds, nobody, sign_bytes
from pki.x509.tests import makers
from pki.x509.tests.makers import PlainSigner, authority, order

HOST = AlternativeName("dns", f"t-1.{makers.ZONE}")
URI = AlternativeName("uri", "https://bank.example/partners/7")


def refused(wanted: Order, issuer: Issuer | None = None) -> tuple[str, ...]:
    with pytest.raises(LintRefused) as error:
        prepare(wanted, issuer or authority().issuer)
    return tuple(finding.rule for finding in error.value.findings)


def test_a_device_certificate_says_what_the_registry_says() -> None:
    wanted = order(names=(HOST,))
    issued = issue(prepare(wanted, authority().issuer), authority().signer)
    facts = describe_certificate(issued.certificate)
    assert facts.common_name == makers.NAME
    assert facts.subject == f"CN={makers.NAME},O=Bank,C=NG"
    assert (facts.not_before, facts.not_after) == (wanted.not_before, wanted.not_after)
    assert facts.not_after - facts.not_before == timedelta(days=365) - timedelta(seconds=1)
    assert (facts.uses, facts.purposes) == (("digital-signature",), ("client-auth",))
    assert facts.names == (tuple(HOST),)
    assert (facts.is_ca, facts.path_length) == (False, None)
    assert facts.ocsp_urls == ("http://pki.bank.example/ocsp",)
    assert facts.crl_urls == ("http://pki.bank.example/ca.crl",)
    assert facts.issuer_urls == ("http://pki.bank.example/ca.cer",)
    assert facts.authority_key_id == authority().issuer.key_id.hex(":").upper()
    assert facts.key_fingerprint == wanted.key.fingerprint
    assert issued.fingerprint == facts.fingerprint == sha256(issued.der).hexdigest()
    assert issued.certificate.serial_number == wanted.serial
    assert x509.load_pem_x509_certificate(issued.pem.encode()) == issued.certificate


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("profile", [DEVICE, TERMINAL, PARTNER])
def test_every_profile_takes_every_kind_of_key(profile: Profile, kind: str) -> None:
    names = (HOST,) if profile is TERMINAL else ()
    issued = makers.leaf(authority(), profile, makers.checked(kind), names=names)
    facts = describe_certificate(issued.certificate)
    assert facts.purposes == profile.purposes
    assert set(facts.uses) == profile.uses_for(kind)


@pytest.mark.parametrize("kind", ["p256", "p384", "ed25519", "rsa-2048"])
def test_authorities_of_every_kind_issue(kind: str) -> None:
    made = authority(kind)
    issued = makers.leaf(made)
    issued.certificate.verify_directly_issued_by(made.issuing.certificate)
    made.issuing.certificate.verify_directly_issued_by(made.root.certificate)
    root, issuing = (describe_certificate(made.root.certificate), describe_certificate(made.issuing.certificate))
    assert (root.is_ca, root.path_length, root.uses) == (True, 1, ("key-cert-sign", "crl-sign"))
    assert (issuing.is_ca, issuing.path_length) == (True, 0)


def test_less_is_issued_when_less_was_asked() -> None:
    key = makers.checked("rsa-2048")
    granted = check_asked(Asked(uses=("digital-signature",)), DEVICE, key.kind)
    wanted = replace(order(key=key), granted=granted)
    issued = issue(prepare(wanted, authority().issuer), authority().signer)
    assert describe_certificate(issued.certificate).uses == ("digital-signature",)


# --- what the linter refuses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"serial": 1}, "lint-serial-random"),
        ({"serial": 1 << 64 - 1}, "lint-serial-random"),
        ({"serial": 1 << 160}, "lint-serial-random"),
        ({"serial": 0}, "lint-serial-random"),
        ({"subject": Subject("ng", "Bank", "x")}, "lint-country"),
        ({"subject": Subject("NGA", "Bank", "x")}, "lint-unbuildable"),
        ({"subject": Subject("NG", "", "x")}, "lint-subject-text"),
        ({"subject": Subject("NG", "Bank ", "x")}, "lint-subject-text"),
        ({"subject": Subject("NG", "Bank", "x\u202ey")}, "lint-subject-text"),
        ({"subject": Subject("NG", "Bank\0", "x")}, "lint-subject-text"),
        ({"names": (HOST, URI)}, None),
        ({"names": (AlternativeName("dns", "DEV_001.internal"),)}, "lint-name-host"),
        ({"names": (AlternativeName("dns", "device.digitalbank.com"),)}, "lint-name-zone"),
        ({"names": (AlternativeName("dns", makers.ZONE),)}, "lint-name-zone"),
        ({"names": (AlternativeName("dns", f"evil{makers.ZONE}"),)}, "lint-name-zone"),
        ({"names": (AlternativeName("dns", f"*.{makers.ZONE}"),)}, "lint-name-host"),
        ({"names": (AlternativeName("uri", "http://bank.example/"),)}, "lint-name-uri"),
        ({"names": (AlternativeName("uri", "urn:uuid:1"),)}, "lint-name-uri"),
        ({"names": (AlternativeName("ip", "10.0.0.1"),)}, "lint-unbuildable"),
        ({"zone": "", "names": (HOST,)}, "lint-name-zone"),
        ({"profile": TERMINAL}, "lint-names-missing"),
        ({"profile": PARTNER, "names": (HOST,)}, "lint-name-kind"),
        ({"profile": replace(DEVICE, keys=frozenset({"p384"}))}, "lint-key-kind"),
    ],
)
def test_an_order_that_breaks_a_rule_is_not_prepared(change: dict[str, object], rule: str | None) -> None:
    wanted = replace(order(), **change)  # type: ignore[arg-type]
    if rule is None:
        prepare(wanted, authority().issuer)
    else:
        assert rule in refused(wanted)


@pytest.mark.parametrize("days", [398, 4000])
def test_too_long_a_life_is_refused(days: int) -> None:
    assert "lint-too-long" in refused(order(days=days))


def test_nothing_outlives_its_issuer() -> None:
    wanted = order(ISSUING, days=365)
    late = authority().issuer.not_after - timedelta(days=1)
    assert refused(replace(order(), not_before=late, not_after=late + timedelta(days=2))) == ("lint-outlives-issuer",)
    assert wanted.profile.ca


def test_a_life_that_ends_before_it_begins_is_refused() -> None:
    wanted = order()
    assert refused(replace(wanted, not_before=wanted.not_after, not_after=wanted.not_before)) in (
        ("lint-unbuildable",),
        ("lint-validity",),
    )


@pytest.mark.parametrize("url", ["https://pki.bank.example/ca.crl", "ldap://x/y", "http:///x", "http://a b/", ""])
def test_addresses_of_the_authority_are_plain_http(url: str) -> None:
    issuer = Issuer(authority().issuing.certificate, "http://a.example/ocsp", "http://a.example/ca.cer", url)
    assert refused(order(), issuer) == ("lint-issuer-urls",)


@pytest.mark.parametrize(
    "other",
    [
        lambda o: replace(o, key=makers.checked("p256", 9)),
        lambda o: replace(o, serial=o.serial ^ 1),
        lambda o: replace(o, subject=Subject("NG", "Bank", "other")),
        lambda o: replace(o, subject=Subject("NG", "Bank", makers.NAME, unit="Cards")),
        lambda o: replace(o, not_after=o.not_after + timedelta(seconds=1)),
        lambda o: replace(o, not_before=o.not_before - timedelta(seconds=1)),
        lambda o: replace(o, names=(HOST,)),
        lambda o: replace(o, profile=RESPONDER),
        lambda o: replace(o, profile=ISSUING),
        lambda o: replace(o, profile=PROFILES["terminal"]),
    ],
)
def test_a_certificate_is_held_against_its_own_order(other: Callable[[Order], Order]) -> None:
    wanted = order()
    issued = issue(prepare(wanted, authority().issuer), authority().signer)
    assert lint(issued.der, wanted, authority().issuer) == []
    assert lint(issued.der, other(wanted), authority().issuer) != []


def test_a_certificate_is_held_against_its_own_issuer() -> None:
    wanted = order()
    issued = issue(prepare(wanted, authority().issuer), authority().signer)
    broken = {finding.rule for finding in lint(issued.der, wanted, authority("p384").issuer)}
    assert broken == {"lint-algorithm", "lint-authority-key"}


def test_every_changed_byte_of_what_is_signed_is_seen() -> None:
    wanted = order(names=(HOST,))
    issued = issue(prepare(wanted, authority().issuer), authority().signer)
    body = issued.certificate.tbs_certificate_bytes
    start = issued.der.index(body)
    for at in range(start, start + len(body)):
        changed = bytearray(issued.der)
        changed[at] ^= 1
        assert lint(bytes(changed), wanted, authority().issuer) != [], at


@pytest.mark.parametrize("data", [b"", b"\x30\x00", b"\x30\x80\0\0", b"x" * 100, makers.SUBJECT])
def test_the_linter_takes_any_bytes(data: bytes) -> None:
    assert [finding.rule for finding in lint(data, order(), authority().issuer)] == ["lint-structure"]


def test_the_linter_never_raises() -> None:
    from pki.x509.tests.hostile import mutations

    wanted = order(names=(HOST,))
    issued = issue(prepare(wanted, authority().issuer), authority().signer)
    for data in mutations(issued.der, 2000):
        assert isinstance(lint(data, wanted, authority().issuer), list)


# --- signing --------------------------------------------------------------------------------------


def prepared() -> Prepared:
    return prepare(order(), authority().issuer)


def test_a_prepared_certificate_is_signed_once() -> None:
    ready = prepared()
    issue(ready, authority().signer)
    with pytest.raises(ValueError, match="once"):
        issue(ready, authority().signer)


def test_only_the_issuing_key_signs() -> None:
    with pytest.raises(ValueError, match="not the key"):
        issue(prepared(), PlainSigner(makers.private("p256", 9)))


def test_a_signature_that_does_not_hold_is_thrown_away() -> None:
    public = authority().issuing.certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    other = makers.private("p256", 9)
    assert isinstance(other, ec.EllipticCurvePrivateKey)
    broken = ExternalECKey(public, lambda data, algorithm: other.sign(data, ec.ECDSA(algorithm)))
    with pytest.raises(LintRefused) as error:
        issue(prepared(), PlainSigner(broken))
    assert [finding.rule for finding in error.value.findings] == ["lint-signature"]


def test_what_was_linted_is_what_is_signed() -> None:
    ready = prepared()
    assert issue(ready, authority().signer).certificate.tbs_certificate_bytes == ready.body


@pytest.mark.parametrize("kind", ["p256", "p384", "ed25519", "rsa-2048"])
def test_a_drafts_signature_holds_under_no_key(kind: str) -> None:
    issuer = authority(kind).issuer
    assert not holds(issuer.key.key, sign_bytes(PlainSigner(nobody(issuer.key.key)), b"x"), b"x")


def test_times_after_2049_are_written_in_full() -> None:
    root_key = makers.private("p256", 100)
    start, _ = validity(makers.NOW, 1)
    wanted = replace(makers.order(PROFILES["root"], makers.checked("p256", 100)), not_before=start)
    wanted = replace(wanted, not_after=start + timedelta(days=9131))
    issued = issue(prepare(wanted, None), PlainSigner(root_key))
    assert issued.certificate.not_valid_after_utc == wanted.not_after
    assert wanted.not_after.year >= 2050


def test_every_lint_rule_is_a_sentence_with_a_source() -> None:
    for rule, (sentence, source) in LINT_RULES.items():
        assert rule.startswith("lint-")
        assert sentence.endswith(".")
        assert source
