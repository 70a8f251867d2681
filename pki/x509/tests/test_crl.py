"""Revocation lists: what they say, that they hold, and what a long one costs."""

import resource
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from pki.x509.crl import REASONS, RevokedEntry, build_crl
from pki.x509.serials import new_serial
from pki.x509.tests import makers
from pki.x509.tests.makers import LATER, NOW, PlainSigner, authority

ROOT = Path(__file__).resolve().parents[3]
KINDS = ("p256", "p384", "ed25519", "rsa-2048")


def made(*entries: RevokedEntry, kind: str = "p256", number: int = 1) -> x509.CertificateRevocationList:
    built = authority(kind)
    data = build_crl(built.issuer, entries, number=number, this_update=NOW, next_update=LATER, signer=built.signer)
    return x509.load_der_x509_crl(data)


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_holds_and_says_who_is_revoked_when_and_why(kind: str) -> None:
    entries = [RevokedEntry(new_serial(), NOW - timedelta(days=n), reason) for n, reason in enumerate(REASONS)]
    crl = made(*entries, kind=kind, number=77)
    assert crl.is_signature_valid(authority(kind).issuer.key.key)
    assert (crl.last_update_utc, crl.next_update_utc) == (NOW, LATER)
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 77
    identifier = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert identifier == authority(kind).issuer.key_id
    assert [row.serial_number for row in crl] == sorted(entry.serial for entry in entries)
    for entry in entries:
        row = crl.get_revoked_certificate_by_serial_number(entry.serial)
        assert row is not None
        assert row.revocation_date_utc == entry.revoked_at
        reasons = [extension.value.reason for extension in row.extensions]
        said = [reason.name.replace("_", "-") for reason in reasons]
        assert said == ([] if entry.reason == "unspecified" else [entry.reason])


def test_an_empty_list_has_no_rows() -> None:
    assert len(made()) == 0


@pytest.mark.parametrize("number", [1, 127, 128, 255, 256, (1 << 159) - 1])
def test_numbers_of_any_size_are_read_again(number: int) -> None:
    crl = made(number=number)
    said = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert (said, crl.next_update_utc) == (number, LATER)


@pytest.mark.parametrize("serial", [1, 127, 128, 0x80FF, (1 << 159) - 1])
def test_serials_of_any_size_are_read_again(serial: int) -> None:
    assert [row.serial_number for row in made(RevokedEntry(serial, NOW))] == [serial]


def test_times_after_2049_are_written_in_full() -> None:
    moment = NOW.replace(year=2051)
    assert [row.revocation_date_utc for row in made(RevokedEntry(5, moment))] == [moment]


@pytest.mark.parametrize("entries", [(5, 5), (0,), (-1,), (1 << 159,)])
def test_rows_that_cannot_be_are_refused(entries: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="serial number"):
        made(*(RevokedEntry(serial, NOW) for serial in entries))


def test_other_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="reason"):
        made(RevokedEntry(5, NOW, "removeFromCRL"))
    for number in (0, -1, 1 << 159):
        with pytest.raises(ValueError, match="number"):
            made(number=number)
    built = authority()
    with pytest.raises(ValueError, match="after"):
        build_crl(built.issuer, (), number=1, this_update=LATER, next_update=NOW, signer=built.signer)
    other = PlainSigner(makers.private("p256", 9))
    with pytest.raises(ValueError, match="not the key"):
        build_crl(built.issuer, (), number=1, this_update=NOW, next_update=LATER, signer=other)


def long_list(count: int) -> tuple[int, int]:
    """Size in bytes, and the process's greatest memory in kilobytes."""
    entries = [RevokedEntry(new_serial(), NOW - timedelta(seconds=n), tuple(REASONS)[n % 9]) for n in range(count)]
    built = authority()
    data = build_crl(built.issuer, entries, number=1, this_update=NOW, next_update=LATER, signer=built.signer)
    return len(data), _greatest_memory()


def _greatest_memory() -> int:
    """In kilobytes. Linux counts what the process was before it became this program into getrusage's number, too."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1])


def test_a_hundred_thousand_rows_take_less_than_300_mb() -> None:
    code = "from pki.x509.tests.test_crl import long_list; print(*long_list(100_000))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    size, memory = map(int, done.stdout.split())
    assert size > 4_000_000
    assert memory < 300 * 1024


def test_moments_are_cut_to_seconds() -> None:
    moment = datetime(2026, 5, 1, 12, 0, 0, 999_999, tzinfo=NOW.tzinfo)
    assert [row.revocation_date_utc for row in made(RevokedEntry(5, moment))] == [moment.replace(microsecond=0)]
