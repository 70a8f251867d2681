"""The portal's pages about imports."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from devices.models import Device, ImportRun
from devices.operations import import_work, imports
from devices.tests.factories import make_bank, make_customer, make_staff
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.core import clock
from portal.core.actor import Actor, Channel
from portal.web.tests.helpers import refusals, signed_in_client
from portal.web.uploads import ROOM

pytestmark = pytest.mark.django_db
NEW = "/issued/imports/new"
FULL = "4111111111111111"
CONTENT = f"""customer-number,kind,reference,model
C1,otp-token,T1,Token
C1,otp-token,T2,{FULL}
C9,otp-token,T3,Token
"""


@pytest.fixture
def bank() -> Bank:
    bank = make_bank("harbour")
    make_customer(bank, customer_number="C1")
    return bank


@pytest.fixture
def operator(bank: Bank) -> User:
    return make_staff(bank, Role.OPERATOR, "Bea")


@pytest.fixture
def bea(operator: User) -> Client:
    return signed_in_client(operator)


def downloaded(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def file(content: str | bytes = CONTENT, name: str = "tokens.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content, "text/csv")


def uploaded(client: Client, **values: Any) -> ImportRun:
    answer = client.post(NEW, {"file": file(), **values})
    assert answer.status_code == 302
    run = ImportRun.objects.latest("created_at")
    assert answer["Location"] == f"/issued/imports/{run.pk}"
    return run


def started(client: Client, run: ImportRun) -> Any:
    page = client.get(f"/issued/imports/{run.pk}")
    values = {"digest": page.context["digest"], "reason": "New stock"}
    return client.post(f"/issued/imports/{run.pk}/start", values)


def test_from_the_upload_to_the_report(bea: Client) -> None:
    run = uploaded(bea)
    page = bea.get(f"/issued/imports/{run.pk}")
    assert (page.context["run"]["good"], page.context["run"]["refused"]) == (2, 1)
    assert [(row["line"], row["column"]) for row in page.context["refusals"]] == [(3, "model")]
    assert FULL not in page.content.decode()
    assert Device.objects.count() == 0

    assert started(bea, run)["Location"] == f"/issued/imports/{run.pk}"
    page = bea.get(f"/issued/imports/{run.pk}")
    assert page.context["run"]["going"]
    assert b'hx-trigger="every 2s"' in page.content
    assert b"<progress" in page.content
    part = bea.get(f"/issued/imports/{run.pk}", headers={"HX-Request": "true"})
    assert part.content.lstrip().startswith(b"<div")

    import_work.run_import(str(run.pk))
    page = bea.get(f"/issued/imports/{run.pk}")
    assert [tile["value"] for tile in page.context["tiles"]] == [3, 1, 0, 2]
    assert b"hx-trigger" not in page.content.split(b'id="progress"')[1]
    report = downloaded(bea.get(f"/issued/imports/{run.pk}/refused.csv"))
    assert report.splitlines() == [
        "line,column,rule,message",
        "3,model,card-number,This holds a full card number. Only its first six and last four digits may come in.",
        "4,customer-number,customer-unknown,The bank has no customer of this number.",
    ]
    [row] = bea.get("/issued/imports").context["imports"]
    assert (row["file_name"], row["uploaded_by"], row["issued"], row["refused"]) == ("tokens.csv", "Bea", 1, 2)


def test_the_pages_name_who_uploaded_it_and_who_started_it(bank: Bank, bea: Client) -> None:
    run = uploaded(bea)
    [row] = bea.get("/issued/imports").context["imports"]
    assert (row["uploaded_by"], row["started_by"]) == ("Bea", "")
    page = bea.get(f"/issued/imports/{run.pk}").content.decode()
    assert ("by Bea" in page, ", started by" in page) == (True, False)

    started(signed_in_client(make_staff(bank, Role.OPERATOR, "Avi")), run)
    assert "by Bea, started by Avi" in bea.get(f"/issued/imports/{run.pk}").content.decode()
    [row] = bea.get("/issued/imports").context["imports"]
    assert (row["uploaded_by"], row["started_by"]) == ("Bea", "Avi")


def test_a_run_of_a_command_is_said_to_be_one(bank: Bank, bea: Client) -> None:
    run = import_work.import_file(
        actor=Actor.system("import_issued_devices", bank_id=bank.pk, channel=Channel.COMMAND),
        file_name="tokens.csv",
        open_file=lambda: BytesIO(CONTENT.encode()),
    )
    page = bea.get(f"/issued/imports/{run.pk}").content.decode()
    assert ("by a command" in page, "uploaded" in page) == (True, False)
    listed = bea.get("/issued/imports")
    [row] = listed.context["imports"]
    assert (row["by_command"], row["uploaded_by"], row["started_by"]) == (True, "", "")
    assert listed.content.decode().count("A command") == 2


@pytest.mark.parametrize(("number", "more"), [(50, False), (51, True)])
def test_the_page_says_when_it_does_not_show_every_refused_row(number: int, more: bool, bea: Client) -> None:
    rows = "".join(f"C1,phone,T{index}\n" for index in range(number))
    bea.post(NEW, {"file": file(f"customer-number,kind,reference\n{rows}")})
    page = bea.get(f"/issued/imports/{ImportRun.objects.get().pk}")
    assert (page.context["more"], len(page.context["refusals"])) == (more, 50)
    assert ("These are the first 50" in page.content.decode()) == more


def test_the_empty_file_names_the_columns(bea: Client) -> None:
    answer = bea.get("/issued/imports/empty.csv")
    assert downloaded(answer).startswith("customer-number,kind,reference,")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "Choose a file."),
        ({"file": file("")}, "The file is empty."),
        ({"file": file("kind\n")}, "These columns are missing: customer-number, reference."),
        ({"file": file(b"\xff")}, "Line 1 is not UTF-8."),
        ({"file": file("customer-number,kind,reference\n")}, "There is no row below the header."),
    ],
)
def test_a_file_that_cannot_be_taken(sent: dict[str, Any], said: str, bea: Client) -> None:
    answer = bea.post(NEW, sent)
    assert answer.status_code == 422
    assert answer.context["form"].errors["file"] == [said]
    assert ImportRun.objects.count() == 0


def test_a_file_over_the_limit_is_never_kept(bea: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "UPLOAD_LIMIT", 100_000)
    for size in (100_001, 100_000 * 16 + ROOM):
        answer = bea.post(NEW, {"file": file(b"x" * size)})
        assert answer.status_code == 422
        assert "At most 2 MB" in answer.context["form"].errors["file"][0]
    assert ImportRun.objects.count() == 0


def test_no_file_touches_the_disk(bea: Client, settings: Any, tmp_path: Path) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "none")
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1000  # Django's own handlers would fail beyond it
    rows = "".join(f"C1,otp-token,T{number},{'x' * 60}\n" for number in range(3000))
    answer = bea.post(NEW, {"file": file(f"customer-number,kind,reference,model\n{rows}")})
    assert answer.status_code == 302
    assert ImportRun.objects.get().rows_total == 3000


def test_all_or_nothing_is_over_at_the_upload_when_a_row_cannot_be_read(bea: Client) -> None:
    run = uploaded(bea, all_or_nothing="on")
    page = bea.get(f"/issued/imports/{run.pk}")
    assert (run.state, page.context["run"]["ready"], page.context["digest"]) == ("REFUSED", False, "")


def test_a_discarded_file_is_gone(bea: Client) -> None:
    run = uploaded(bea)
    assert bea.post(f"/issued/imports/{run.pk}/discard")["Location"] == "/issued/imports"
    run.refresh_from_db()
    assert (run.state, run.content_sealed) == ("STOPPED", "")
    assert bea.get(f"/issued/imports/{run.pk}/discard").status_code == 405


def test_what_stands_in_the_way_is_said_on_the_page(bea: Client) -> None:
    run = uploaded(bea)
    for values, status, code in (
        ({"digest": "0", "reason": "New"}, 409, "content-changed"),
        ({"digest": "", "reason": FULL}, 422, "invalid-input"),
    ):
        answer = bea.post(f"/issued/imports/{run.pk}/start", values)
        assert (answer.status_code, refusals()[-1][1:]) == (status, (code, refusals()[-1][2], str(run.pk)))
    run.refresh_from_db()
    assert run.state == "READY"


def test_who_may_not(bank: Bank, bea: Client) -> None:
    run = uploaded(bea)
    paths = [NEW, "/issued/imports", f"/issued/imports/{run.pk}", f"/issued/imports/{run.pk}/refused.csv"]
    support = signed_in_client(make_staff(bank, Role.SUPPORT, "Sam"))
    assert [support.get(path).status_code for path in paths] == [403] * 4
    assert support.post(NEW, {"file": file()}).status_code == 403
    elsewhere = signed_in_client(make_staff(make_bank(), Role.OPERATOR, "Cem"))
    assert [elsewhere.get(path).status_code for path in paths] == [200, 200, 404, 404]
    for step in ("start", "discard"):
        assert elsewhere.post(f"/issued/imports/{run.pk}/{step}", {"reason": "Mine"}).status_code == 404
        assert support.post(f"/issued/imports/{run.pk}/{step}", {"reason": "Mine"}).status_code == 403
    assert [Client().get(path).status_code for path in paths] == [302] * 4
    assert Client().post(NEW, {"file": file()}).status_code == 302
    assert ImportRun.objects.count() == 1


def test_an_upload_needs_its_token(operator: User) -> None:
    client = signed_in_client(operator, enforce_csrf_checks=True)
    assert client.post(NEW, {"file": file()}).status_code == 403
    assert ImportRun.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_where_the_bank_wants_a_second_person_the_import_waits() -> None:
    bank = make_bank("harbour")
    make_customer(bank, customer_number="C1")
    bea = signed_in_client(make_staff(bank, Role.OPERATOR, "Bea"))
    ApprovalPolicy.objects.create(bank=bank, required=["device.issue"], bulk_threshold=10, updated_at=clock.now())
    run = uploaded(bea)
    assert bea.get(f"/issued/imports/{run.pk}").context["asks"]
    assert started(bea, run)["Location"] == f"/issued/imports/{run.pk}"
    assert ApprovalRequest.objects.get().operation == "device-import.start"
    page = bea.get(f"/issued/imports/{run.pk}")
    assert [badge["label"] for badge in page.context["waiting"]] == ["Import cards and tokens"]
    assert Device.objects.count() == 0
