"""Ada's phone, her bank with an authority that signs for attested devices, and a proxy that is trusted."""

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device, make_token
from pki.models import CertificatePolicy
from pki.tests.factories import make_ca
from portal.accounts.models import User
from portal.api.est.tests.client import EstClient


@pytest.fixture(autouse=True)
def proxy(settings: Any) -> None:
    settings.DEMO = False  # it answers direct calls only
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("10.0.0.0/8")]
    settings.CLIENT_CERT_HEADER = "HTTP_CLIENT_CERT"


@pytest.fixture
def ada() -> User:
    customer = make_customer(make_bank("first"), "Ada")
    make_ca(customer.bank)
    CertificatePolicy.objects.update(auto_sign=True)
    return customer


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada)


@pytest.fixture
def client(ada: User, phone: Device, tmp_path: Path) -> EstClient:
    """The phone with a token that is bound to it."""
    return EstClient(tmp_path, ada.bank.code, token=make_token(user=ada, device=phone))
