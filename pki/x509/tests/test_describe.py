"""Certificates as plain values."""

from pki.x509.alternative_names import AlternativeName
from pki.x509.describe import describe_certificate
from pki.x509.profiles import TERMINAL
from pki.x509.serials import as_hex
from pki.x509.tests import makers
from pki.x509.tests.makers import authority


def test_a_certificate_is_told_in_words() -> None:
    names = (AlternativeName("dns", f"t-1.{makers.ZONE}"),)
    issued = makers.leaf(authority("p384"), TERMINAL, makers.checked("rsa-2048"), names=names)
    facts = describe_certificate(issued.certificate)
    assert facts.serial == as_hex(issued.certificate.serial_number)
    assert facts.key == "RSA 2048"
    assert facts.signature == "ECDSA with SHA-384"
    assert facts.issuer == "CN=Bank Issuing,O=Bank,C=NG"
    assert facts.uses == ("digital-signature", "key-encipherment")
    assert facts.purposes == ("client-auth", "server-auth")
    assert facts.names == (("dns", f"t-1.{makers.ZONE}"),)


def test_a_responders_certificate_points_nowhere() -> None:
    facts = describe_certificate(authority().responder.certificate)
    assert (facts.ocsp_urls, facts.issuer_urls, facts.crl_urls, facts.names) == ((), (), (), ())
    assert facts.purposes == ("ocsp-signing",)
