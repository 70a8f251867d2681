"""Every hostile request is refused by a named rule, quickly, and with nothing but RequestRefused."""

import time

import pytest

from pki.x509.findings import RequestRefused
from pki.x509.requests import check_request
from pki.x509.rules import REQUEST_RULES
from pki.x509.tests import hostile, makers

LIMIT = 0.2  # seconds of this thread's own time, so that other work on the machine counts for nothing


def refusal(data: bytes) -> tuple[RequestRefused, float]:
    start = time.thread_time()
    with pytest.raises(RequestRefused) as refused:
        check_request(data)
    return refused.value, time.thread_time() - start


@pytest.mark.parametrize(("data", "rules"), [pytest.param(d, r, id=n) for n, d, r in hostile.corpus()])
def test_each_is_refused_by_its_rule_in_time(data: bytes, rules: set[str]) -> None:
    refused, seconds = refusal(data)
    assert rules <= set(refused.rules)
    assert seconds < LIMIT
    for finding in refused.findings:
        assert finding.rule in REQUEST_RULES
        assert finding.sentence.endswith(".")
        assert finding.source
        assert "{" not in finding.sentence


def test_every_rule_of_the_catalogue_has_a_case() -> None:
    seen = {rule for _, data, _ in hostile.corpus() for rule in refusal(data)[0].rules}
    elsewhere = {
        "asks-too-long",
        "key-not-in-profile",
        "asks-digital-signature",
        "asks-client-auth",
        "ed25519-mixed-order",
    }
    assert set(REQUEST_RULES) - seen - elsewhere == set()


def test_all_findings_are_listed_at_once() -> None:
    key = makers.private("rsa-1024")
    asked = makers.asking(
        makers.extension("2.5.29.15", b"\x03\x02\x04\xb0"),
        makers.extension("2.5.29.37", bytes.fromhex("300a06082b06010505070301")),
        makers.extension("2.5.29.17", b"\x30\x00"),
    )
    refused, _ = refusal(makers.raw_request(key, attributes=[asked], subject=b"\x30\x00"))
    assert set(refused.rules) == {"rsa-size", "asks-data-encipherment", "asks-server-auth", "san-empty"}
    assert str(refused) == ", ".join(refused.rules)


def test_a_mutation_is_refused_unless_it_changed_nothing() -> None:
    good, slowest = hostile.unchanged(), 0.0
    for data in hostile.mutations(good, 3000):
        start = time.thread_time()
        try:
            check_request(data)
        except RequestRefused:
            slowest = max(slowest, time.thread_time() - start)
        else:
            assert data == good
    assert slowest < LIMIT


@pytest.mark.parametrize("kind", ["rsa-2048", "rsa-3072", "rsa-4096", "p256", "p384", "ed25519"])
def test_an_honest_request_takes_no_longer(kind: str) -> None:
    data = makers.raw_request(makers.private(kind))
    check_request(data)
    start = time.thread_time()
    check_request(data)
    assert time.thread_time() - start < LIMIT
