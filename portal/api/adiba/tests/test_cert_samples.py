"""The two certificate calls of the vendor's page, with its own bodies: only ids, key, certificate are living."""

import base64
from typing import Any

import pytest
import time_machine
from cryptography import x509

from devices.models import Device
from devices.tests.factories import make_application, make_staff, make_token
from pki.models import Certificate, CertificateRequest
from pki.tests.factories import make_ca
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.api.tests.doors import Caller, golden, in_order

pytestmark = pytest.mark.django_db(transaction=True)
REQUEST, SIGN = "/v1/device/cert/request", "/v1/device/cert/sign"
FORM = "application/x-www-form-urlencoded"  # what curl -d says
DEVICE, CSR = "DEV_001_20241201_001", "CSR_001_20241201_001"


def living(value: Any, ids: dict[str, str]) -> Any:
    """The printed body with the ids it names replaced by ours, inside of texts, too."""
    if isinstance(value, dict):
        return {name: living(item, ids) for name, item in value.items()}
    if isinstance(value, list):
        return [living(item, ids) for item in value]
    if isinstance(value, str):
        for printed, ours in ids.items():
            value = value.replace(printed, ours)
    return value


@pytest.mark.parametrize("by", ["owner", "bound token"])
@pytest.mark.parametrize("signer", ["bank", "staff"])
def test_request_and_sign_are_as_printed(by: str, signer: str, ada: User, phone: Device) -> None:
    with time_machine.travel("2024-12-01T14:00:00Z", tick=False) as at:
        make_ca(ada.bank)
        asker = Caller(make_token(user=ada, device=phone if by == "bound token" else None))
        server = make_application(ada.bank, kind="bank")
        officer = make_staff(ada.bank, Role.SECURITY_OFFICER)
        signing = Caller(make_token(application=server) if signer == "bank" else make_token(user=officer))
        ids = {DEVICE: phone.public_id}

        at.move_to("2024-12-01T14:40:00Z")
        response = asker.send("POST", REQUEST, living(golden(__file__, "cert-request.request"), ids), label=FORM)
        assert response.status_code == 200, response.content
        request = CertificateRequest.objects.get()
        ids[CSR] = request.public_id
        expected = living(golden(__file__, "cert-request.answer"), ids)
        content = response.json()["csrContent"]
        assert content.startswith("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0")
        assert response.json() == {**expected, "csrContent": content}
        assert in_order(response.json()) == in_order(expected)
        csr = x509.load_pem_x509_csr(base64.b64decode(content))
        assert csr.is_signature_valid
        assert csr.subject.rfc4514_string() == f"CN={phone.public_id},OU=IT Department,O=Digital Bank Ltd,C=NG"

        at.move_to("2024-12-01T14:45:00Z")
        printed = living(golden(__file__, "cert-sign.request"), ids)
        refused = signing.send("POST", SIGN, printed, label=FORM)
        assert (refused.status_code, refused.json()["code"]) == (422, "ask-refused")
        assert {one["rule"] for one in refused.json()["findings"]} == {"asks-server-auth", "asks-data-encipherment"}
        assert not Certificate.objects.exists()

        printed["certificateExtensions"]["keyUsage"].remove("DATA_ENCIPHERMENT")
        printed["certificateExtensions"]["extendedKeyUsage"].remove("SERVER_AUTH")
        answer = signing.send("POST", SIGN, printed, label=FORM)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json"), answer.content
    certificate = Certificate.objects.get()
    expected = golden(__file__, "cert-sign.answer") | {
        "certificateId": certificate.public_id,
        "certificateContent": answer.json()["certificateContent"],
        "validFrom": "2024-12-01T14:40:00Z",  # five minutes earlier: clocks of devices run late
        "validTo": "2025-12-01T14:39:59Z",  # 365 days, to the last second
        "serialNumber": certificate.serial_colons,
    }
    assert answer.json() == expected
    assert in_order(answer.json()) == in_order(golden(__file__, "cert-sign.answer"))
    found = x509.load_pem_x509_certificate(base64.b64decode(expected["certificateContent"]))
    assert found.serial_number == int(expected["serialNumber"].replace(":", ""), 16)
    assert found.public_key() == csr.public_key()
