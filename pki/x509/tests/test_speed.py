"""What checking costs beside signing. Both are measured in turns, by this thread's own time, and the best counts."""

import time
from collections.abc import Callable

import pytest
from cryptography import x509

from pki.x509.asking import check_asked
from pki.x509.building import issue, prepare
from pki.x509.orders import Order, Subject, validity
from pki.x509.profiles import DEVICE
from pki.x509.requests import check_request
from pki.x509.serials import new_serial
from pki.x509.signing import hash_for
from pki.x509.tests import makers
from pki.x509.tests.makers import LATER, NOW, authority

pytestmark = pytest.mark.slow


def cost(step: Callable[[], object]) -> float:
    start = time.thread_time()
    step()
    return time.thread_time() - start


def bare_builder() -> x509.CertificateBuilder:
    """The same certificate, as the library alone would make it."""
    like = makers.leaf(authority()).certificate
    return x509.CertificateBuilder(
        like.issuer, like.subject, makers.checked("p256").key, like.serial_number,
        NOW.replace(tzinfo=None), LATER.replace(tzinfo=None), list(like.extensions),
    )  # fmt: skip


def test_gate_lint_build_and_sign_take_at_most_twelve_bare_signatures() -> None:
    made = authority()
    data = makers.raw_request()
    bare = bare_builder()

    def whole() -> None:
        request = check_request(data)
        granted = check_asked(request.asked, DEVICE, request.key.kind)
        subject = Subject("NG", "Bank", makers.NAME)
        order = Order(DEVICE, request.key, subject, new_serial(), *validity(NOW, granted.days), granted=granted)
        issue(prepare(order, made.issuer), made.signer)

    costs = [
        (cost(whole), cost(lambda: bare.sign(made.signer.key, hash_for(made.issuer.key.key)))) for _ in range(400)
    ]
    ratio = min(whole for whole, _ in costs) / min(bare for _, bare in costs)
    assert ratio <= 12, ratio
