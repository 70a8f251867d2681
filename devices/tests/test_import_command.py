"""`manage.py import_issued_devices` and `export_issued_devices`."""

import csv
import gc
import os
import re
import signal
import subprocess
import sys
import tracemalloc
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from devices.management.commands import import_issued_devices as command
from devices.models import Device, ImportRun, IssuedDetails
from devices.operations import import_work
from devices.operations.import_rows import BadRow
from devices.operations.imports import content_digest, start_import, upload_import
from devices.tests.factories import make_bank, make_card, make_customer, make_staff, staff_actor
from portal.accounts.models import Bank
from portal.audit.models import AuditEvent
from portal.core import clock

pytestmark = pytest.mark.django_db
HEADER = "customer-number,kind,reference,model"
FULL = "4111111111111111"


@pytest.fixture
def bank() -> Bank:
    bank = make_bank("harbour")
    make_customer(bank, customer_number="C1")
    return bank


def written(folder: Path, *lines: str) -> Path:
    path = folder / "tokens.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def run(path: Path, *options: str) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()
    try:
        call_command("import_issued_devices", str(path), "--bank", "harbour", *options, stdout=out, stderr=err)
    except SystemExit as left:
        return int(str(left.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_a_good_file(bank: Bank, tmp_path: Path) -> None:
    path = written(tmp_path, *(f"C1,otp-token,T{number},Token" for number in range(450)))
    assert run(path) == (
        0,
        "Done: 450 issued, 0 there already, 0 refused.\n",
        "200 of 450 rows, 0 refused\n400 of 450 rows, 0 refused\n450 of 450 rows, 0 refused\n",
    )
    assert run(path)[:2] == (0, "Done: 0 issued, 450 there already, 0 refused.\n")
    assert Device.objects.count() == 450
    assert AuditEvent.objects.filter(event="device.issued", actor_id="import_issued_devices").count() == 450
    assert [row.content_sealed for row in ImportRun.objects.all()] == ["", ""]


def test_refused_rows_are_named_and_reported(bank: Bank, tmp_path: Path) -> None:
    path = written(tmp_path, "C1,otp-token,T1,Token", f"C1,otp-token,T2,{FULL}", "C9,otp-token,T3,Token")
    report = tmp_path / "refused.csv"
    code, out, err = run(path, "--report", str(report))
    assert (code, out) == (1, "Done: 1 issued, 0 there already, 2 refused.\n")
    assert err.splitlines() == [
        "line 3: model: This holds a full card number. Only its first six and last four digits may come in.",
        "line 4: customer-number: The bank has no customer of this number.",
        "3 of 3 rows, 2 refused",
    ]
    assert [row[:3] for row in csv.reader(StringIO(report.read_text()))] == [
        ["line", "column", "rule"],
        ["3", "model", "card-number"],
        ["4", "customer-number", "customer-unknown"],
    ]
    assert report.stat().st_mode & 0o777 == 0o600
    assert FULL not in out + err + report.read_text()


def test_all_or_nothing(bank: Bank, tmp_path: Path) -> None:
    bad = written(tmp_path, "C1,otp-token,T1,Token", "C9,otp-token,T2,Token")
    assert run(bad, "--all-or-nothing")[:2] == (1, "Refused: 0 issued, 0 there already, 1 refused.\n")
    assert Device.objects.count() == 0
    good = written(tmp_path, "C1,otp-token,T1,Token")
    assert run(good, "--all-or-nothing")[:2] == (0, "Done: 1 issued, 0 there already, 0 refused.\n")


def test_what_cannot_be_read_changes_nothing(bank: Bank, tmp_path: Path) -> None:
    late = tmp_path / "late.csv"
    late.write_bytes(f"{HEADER}\n".encode() + b"C1,otp-token,T1,Token\n" * 300 + b"\xff\n")
    for path, message in ((late, "Line 302 is not UTF-8"), (tmp_path / "none.csv", "cannot be read")):
        with pytest.raises(CommandError, match=message):
            run(path)
    with pytest.raises(CommandError, match="no bank"):
        call_command("import_issued_devices", str(late), "--bank", "other")
    assert (Device.objects.count(), ImportRun.objects.count(), AuditEvent.objects.count()) == (0, 0, 0)


def test_a_file_that_becomes_unreadable_on_the_way_leaves_a_stopped_run(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(self: object, run: ImportRun, bad: list[Any]) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(command._Shown, "tell", break_off)
    path = written(tmp_path, *(f"C1,otp-token,T{number},Token" for number in range(300)))
    with pytest.raises(CommandError, match="Input/output error"):
        run(path)
    assert [(row.state, row.rows_issued) for row in ImportRun.objects.all()] == [("STOPPED", 200)]
    monkeypatch.undo()
    assert run(path)[1] == "Done: 100 issued, 200 there already, 0 refused.\n"


def test_the_export_is_safe_for_spreadsheets(bank: Bank, tmp_path: Path) -> None:
    ada = make_customer(bank, "Ada", customer_number="+C2")
    card = make_card(
        ada, reference='=HYPERLINK("x")', cardholder_name="@ADA", model="-Gold", capabilities=["icc", "nfc"]
    )
    make_card(make_customer(make_bank()))
    make_card(ada, "RETIRED")
    out = StringIO()
    call_command("export_issued_devices", "--bank", "harbour", stdout=out)
    header, row = csv.reader(StringIO(out.getvalue()))
    found = dict(zip(header, row, strict=True))
    assert (found["customer-number"], found["reference"]) == ("'+C2", '\'=HYPERLINK("x")')
    assert (found["cardholder-name"], found["model"]) == ("'@ADA", "'-Gold")
    assert (found["masked-card-number"], found["capabilities"]) == ("411111******1111", "icc nfc")
    assert (found["is-primary"], found["card-status"], found["device-id"]) == ("yes", "valid", card.public_id)
    path = tmp_path / "out.csv"
    call_command("export_issued_devices", "--bank", "harbour", "--output", str(path))
    assert path.read_bytes().decode() == out.getvalue()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CommandError):
        call_command("export_issued_devices", "--bank", "other")


def many(folder: Path, number: int) -> Path:
    path = folder / f"{number}.csv"
    with path.open("w") as out:
        out.write("customer-number,kind,reference,masked-card-number,card-kind,card-brand,expiration-date\n")
        for index in range(number):
            last = FULL if index == number // 2 else f"411111******{index % 10_000:04}"
            out.write(f"C1,payment-card,R{index},{last},debit-card,Visa,2999-12-31\n")
    return path


@pytest.mark.slow
def test_ten_thousand_rows_hold_no_more_memory_than_a_batch(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(many(tmp_path, 400))  # what is loaded once does not count
    held: list[int] = []
    peaks: list[int] = []
    tell = command._Shown.tell

    def measure(self: command._Shown, run: ImportRun, bad: list[BadRow]) -> None:
        tell(self, run, bad)
        peaks.append(tracemalloc.get_traced_memory()[1])
        gc.collect()  # rows and details know each other: the collector's own pace is not what is measured
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.reset_peak()

    monkeypatch.setattr(command._Shown, "tell", measure)
    path = many(tmp_path, 10_000)
    tracemalloc.start()
    try:
        code, out, err = run(path)
    finally:
        tracemalloc.stop()
    assert (code, out) == (1, "Done: 9600 issued, 399 there already, 1 refused.\n")
    assert "line 5002: masked-card-number: This holds a full card number." in err
    assert len(re.findall(r"of 10,000 rows", err)) == 10
    assert len(held) == 50
    # In bytes, for 9,000 rows; one that stayed in memory would cost a thousand and more.
    assert held[-1] - held[4] < 9000 * 50, held
    assert max(peaks[5:]) < 1.2 * max(peaks[:5]), peaks
    assert FULL not in out + err
    stored = [*Device.objects.values_list("model"), *IssuedDetails.objects.values_list("reference", "number_start")]
    assert FULL not in str(stored)


CHILD = """
import sys
import django
django.setup()
from django.core.management import call_command
call_command("import_issued_devices", sys.argv[1], "--bank", "harbour")
"""


@pytest.fixture
def child_environment() -> dict[str, str]:
    """For a process of its own on the test's database."""
    settings = connection.settings_dict
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "devices.tests.child_settings",
        "PORTAL_CHILD_DATABASE": str(settings["NAME"]),
    }


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_imports_go_on_without_a_row_twice(tmp_path: Path, child_environment: dict[str, str]) -> None:
    make_customer(make_bank("harbour"), customer_number="C1")
    path = many(tmp_path, 4000)
    for after in (1, 2, 3):
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)], env=child_environment, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        for line in process.stderr:  # kill it right after it has told of so many tenths
            if "of 4,000 rows" in line and (after := after - 1) == 0:
                process.send_signal(signal.SIGKILL)
                break
        process.stderr.close()
        assert process.wait() == -signal.SIGKILL
        assert 0 < Device.objects.count() < 3999
        assert Device.objects.count() == AuditEvent.objects.filter(event="device.issued").count()
    before = Device.objects.count()
    code, out, _ = run(path)
    assert (code, out) == (1, f"Done: {3999 - before} issued, {before} there already, 1 refused.\n")
    assert Device.objects.count() == IssuedDetails.objects.values("reference").distinct().count() == 3999
    assert AuditEvent.objects.filter(event="device.issued").values("object_id").distinct().count() == 3999


WORKER = """
import sys
import django
django.setup()
from devices.operations import import_work
advance = import_work.advance
def told(*args, **kwargs):
    tally = advance(*args, **kwargs)
    print("batch", flush=True)
    return tally
import_work.advance = told
import_work.run_import(sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("all_or_nothing", [False, True])
def test_a_killed_worker_is_followed_by_the_next(
    all_or_nothing: bool, tmp_path: Path, child_environment: dict[str, str]
) -> None:
    bank = make_bank("harbour")
    make_customer(bank, customer_number="C1")
    bea = staff_actor(make_staff(bank))
    data = many(tmp_path, 2000).read_bytes().replace(FULL.encode(), b"411111******0000")
    upload = upload_import(actor=bea, file_name="cards.csv", data=data, all_or_nothing=all_or_nothing)
    start_import(actor=bea, run_id=str(upload.pk), digest=content_digest(upload), reason="New stock")
    moment = clock.now()
    for batches in (1, 2, 3):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(upload.pk)], env=child_environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(batches):
            assert process.stdout.readline() == "batch\n"
        process.send_signal(signal.SIGKILL)
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        upload.refresh_from_db()
        assert (upload.state, 0 < upload.rows_done < 2000) == ("RUNNING", True)
        assert Device.objects.count() == upload.rows_issued == (0 if all_or_nothing else upload.rows_done)
        ImportRun.objects.filter(pk=upload.pk).update(claim_until=moment)  # as a minute later
    assert import_work.sweep() == 1
    upload.refresh_from_db()
    assert (upload.state, upload.rows_done, upload.rows_issued) == ("DONE", 2000, 2000)
    assert Device.objects.count() == IssuedDetails.objects.values("reference").distinct().count() == 2000
    assert AuditEvent.objects.filter(event="device.issued").values("object_id").distinct().count() == 2000
