"""An authority's row as the primitives see it: its certificate with the addresses it points to, and its signer."""

from functools import lru_cache

from cryptography import x509
from django.conf import settings
from django.core.signals import setting_changed

from pki.keystore.stores import open_signer
from pki.models import CertificateAuthority, OcspResponder
from pki.x509.orders import Issuer
from pki.x509.signing import Signer


def address(authority: CertificateAuthority, kind: str) -> str:
    """Where the world finds an authority's `ca` (its certificate), `crl` or `ocsp`."""
    suffix = {"ca": ".cer", "crl": ".crl", "ocsp": ""}[kind]
    return f"{settings.PKI_URL}/pki/{kind}/{authority.address_key}{suffix}"


def issuer_of(authority: CertificateAuthority) -> Issuer:
    """What those it issues for see of an authority. Made once a process: its certificate never changes."""
    return _issuer(bytes(authority.der), *(address(authority, kind) for kind in ("ocsp", "ca", "crl")))


def signer_of(owner: CertificateAuthority | OcspResponder) -> Signer:
    """The signer of an authority or responder, opened once a process. Raises KeyUnavailable."""
    return _signer(owner.keystore, owner.key_name)


@lru_cache(maxsize=64)
def _issuer(der: bytes, ocsp_url: str, issuers_url: str, crl_url: str) -> Issuer:
    certificate = x509.load_der_x509_certificate(der)
    return Issuer(certificate, ocsp_url=ocsp_url, issuers_url=issuers_url, crl_url=crl_url)


@lru_cache(maxsize=64)
def _signer(keystore: str, key_name: str) -> Signer:
    return open_signer(keystore, key_name)


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting.startswith(("PKI_", "CA_", "PKCS11_")):
        _issuer.cache_clear()
        _signer.cache_clear()


setting_changed.connect(_forget)
