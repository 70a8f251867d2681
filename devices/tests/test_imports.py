"""Uploading, starting and discarding imports, and the workers' part."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection

from devices.models import Device, ImportRun
from devices.operations import import_engine, import_work, imports
from devices.operations.imports import content_digest, discard_import, start_import, upload_import
from devices.states import IMPORT_TRANSITIONS, ImportState
from devices.tests.factories import bank_actor, customer_actor, make_bank, make_customer, make_staff, staff_actor
from portal import jobs
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired, Conflict, Forbidden, InvalidInput, InvalidState, NotFound
from portal.tests.threads import race

pytestmark = pytest.mark.django_db
HEADER = "customer-number,kind,reference,model"
FULL = "4111111111111111"


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank, customer_number="C1")


@pytest.fixture
def bea(bank: Bank) -> User:
    return make_staff(bank)


def sheet(*lines: str) -> bytes:
    return "\n".join([HEADER, *lines]).encode()


def tokens(number: int, customer: str = "C1", start: int = 0) -> list[str]:
    return [f"{customer},otp-token,T{index},Token" for index in range(start, start + number)]


def upload(bea: User, *lines: str, **values: Any) -> ImportRun:
    return upload_import(actor=staff_actor(bea), file_name="tokens.csv", data=sheet(*lines), **values)


def start(bea: User, run: ImportRun, **values: Any) -> ImportRun:
    return start_import(
        actor=staff_actor(bea),
        run_id=str(run.pk),
        **{"digest": content_digest(run), "reason": "New stock", **values},
    )


def counts(run: ImportRun) -> tuple[str, int, int, int, int]:
    run.refresh_from_db()
    return run.state, run.rows_done, run.rows_issued, run.rows_unchanged, run.rows_refused


def database() -> Iterator[str]:
    """Every row of every table, as the database holds it."""
    for table in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            yield from map(str, cursor.fetchall())


def told(run: ImportRun) -> list[tuple[int, str, str]]:
    return [(one.line, one.field, one.code) for one in run.refusals.order_by("line", "id")]


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("at", "id").values_list("event", flat=True))


def test_from_the_upload_to_the_last_row(ada: User, bea: User) -> None:
    run = upload(bea, *tokens(2), "C9,otp-token,T9,Token", "C1,phone,T8,Token")
    assert (run.state, run.rows_total, run.rows_done, run.rows_refused) == (ImportState.READY, 4, 1, 1)
    assert (run.uploaded_by, run.started_by) == (bea, None)
    assert (Device.objects.count(), events()) == (0, [])
    assert start(bea, run).state == ImportState.WAITING
    import_work.run_import(str(run.pk))

    assert counts(run) == ("DONE", 4, 2, 0, 2)
    assert told(run) == [(4, "customer-number", "customer-unknown"), (5, "kind", "unknown-enum")]
    assert (run.content_sealed, run.ended_at is not None, run.started_by) == ("", True, bea)
    assert Device.objects.filter(owner=ada, status="PENDING", kind="otp-token", model="Token").count() == 2
    assert events() == ["device-import.started", "device.issued", "device.issued", "device-import.ended"]
    issued = AuditEvent.objects.filter(event="device.issued").first()
    assert issued is not None
    assert issued.actor_id == str(bea.pk)
    assert f'"import":"{run.pk}"' in issued.data


def test_starting_rings_once_and_a_repeat_is_quiet(
    bea: User, ada: User, django_capture_on_commit_callbacks: Any
) -> None:
    run = upload(bea, *tokens(1))
    with jobs.recorded() as rung:
        with django_capture_on_commit_callbacks(execute=True):
            start(bea, run)
            start(bea, run)
        assert rung == [("imports.run", str(run.pk))]
    import_work.run_import(str(run.pk))
    assert start_import(actor=staff_actor(bea), run_id=str(run.pk), digest="", reason="again").state == "DONE"
    assert events().count("device-import.started") == 1


def test_the_same_file_again_changes_nothing(ada: User, bea: User) -> None:
    for expected in [("DONE", 3, 3, 0, 0), ("DONE", 3, 0, 3, 0)]:
        run = upload(bea, *tokens(3))
        start(bea, run)
        import_work.run_import(str(run.pk))
        assert counts(run) == expected
    assert (Device.objects.count(), events().count("device.issued")) == (3, 3)


def test_one_reference_twice_in_a_file_is_one_device(ada: User, bea: User) -> None:
    run = upload(bea, *tokens(1), *tokens(1), "C1,otp-token,T0,Other")
    start(bea, run)
    import_work.run_import(str(run.pk))
    assert counts(run) == ("DONE", 3, 1, 1, 1)
    assert told(run) == [(4, "reference", "reference-not-unique")]


def test_suspended_customers_and_those_of_other_banks_get_nothing(bank: Bank, bea: User) -> None:
    make_customer(bank, customer_number="C2", is_active=False)
    make_customer(make_bank(), customer_number="C3")
    run = upload(bea, *tokens(1, "C2"), *tokens(1, "C3", 1))
    start(bea, run)
    import_work.run_import(str(run.pk))
    assert told(run) == [(2, "customer-number", "customer-suspended"), (3, "customer-number", "customer-unknown")]
    assert Device.objects.count() == 0


def test_a_customer_may_be_named_by_our_own_id(ada: User, bea: User) -> None:
    run = upload(bea, *tokens(1, ada.public_id), *tokens(1, "C1", 1))
    start(bea, run)
    import_work.run_import(str(run.pk))
    assert counts(run) == ("DONE", 2, 2, 0, 0)


def test_all_or_nothing_issues_all(ada: User, bea: User) -> None:
    run = upload(bea, *tokens(3), all_or_nothing=True)
    start(bea, run)
    import_work.run_import(str(run.pk))
    assert counts(run) == ("DONE", 3, 3, 0, 0)
    assert Device.objects.count() == 3


@pytest.mark.parametrize(
    ("line", "problem"),
    [("C9,otp-token,T9,Token", "customer-unknown"), ("C1,otp-token,T0,Other", "reference-not-unique")],
)
def test_all_or_nothing_issues_nothing_for_one_bad_row(line: str, problem: str, ada: User, bea: User) -> None:
    run = upload(bea, *tokens(3), line, all_or_nothing=True)
    start(bea, run)
    import_work.run_import(str(run.pk))
    assert counts(run)[0::2] == ("REFUSED", 0, 1)
    assert [(line, code) for line, _, code in told(run)] == [(5, problem)]
    assert (Device.objects.count(), run.content_sealed) == (0, "")
    assert events() == ["device-import.started", "device-import.ended"]


def test_all_or_nothing_takes_back_what_it_issued_before_a_row_that_fails_in_the_end(
    ada: User, bea: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (import_work, import_engine):
        monkeypatch.setattr(module, "BATCH", 2)
    # Looked at in batches, both rows are good; only together they are one too many.
    run = upload(bea, *tokens(4), "C1,otp-token,T0,Other", all_or_nothing=True)
    start(bea, run)
    import_work.run_import(str(run.pk))
    assert counts(run) == ("REFUSED", 5, 0, 0, 1)
    assert (told(run), Device.objects.count()) == ([(6, "reference", "reference-not-unique")], 0)


def test_all_or_nothing_with_a_row_that_cannot_be_read_ends_at_the_upload(ada: User, bea: User) -> None:
    run = upload(bea, *tokens(2), f"C1,otp-token,T9,{FULL}", all_or_nothing=True)
    assert counts(run)[0::4] == ("REFUSED", 1)
    assert (run.content_sealed, events()) == ("", ["device-import.ended"])
    with pytest.raises(InvalidState) as refusal:
        start(bea, run, digest="")
    assert refusal.value.code == "import-over"


def test_a_full_card_number_is_nowhere(ada: User, bea: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    run = upload(bea, *tokens(1), f"C1,otp-token,{FULL},Token", "C1,otp-token,T2,4111 1111 1111 1111")
    assert FULL not in imports.content_of(run).decode()
    assert "1111 1111" not in imports.content_of(run).decode()
    start(bea, run)
    import_work.run_import(str(run.pk))
    assert counts(run) == ("DONE", 3, 1, 0, 2)
    assert told(run) == [(3, "reference", "card-number"), (4, "model", "card-number")]
    everything = "".join([caplog.text, *database()])
    assert str(run.pk) in everything or run.pk.hex in everything
    assert FULL not in everything
    assert "1111 1111" not in everything


def test_a_files_name_is_kept_without_its_folder_and_not_when_it_is_a_card_number(ada: User, bea: User) -> None:
    for name, kept in [("C:\\cards\\new.csv", "new.csv"), (f"{FULL}.csv", "import.csv"), ("bell\x07", "import.csv")]:
        run = upload_import(actor=staff_actor(bea), file_name=name, data=sheet(*tokens(1)))
        assert run.file_name == kept


@pytest.mark.parametrize(("data", "code"), [(sheet(), "no-rows"), (b"\xff", "not-utf-8"), (b"", "no-header")])
def test_a_file_without_rows_is_not_kept(data: bytes, code: str, bea: User) -> None:
    with pytest.raises(InvalidInput) as refusal:
        upload_import(actor=staff_actor(bea), file_name="x.csv", data=data)
    assert [(problem.field, problem.code) for problem in refusal.value.fields] == [("file", code)]
    assert ImportRun.objects.count() == 0


def test_a_file_over_the_limit_is_not_kept(bea: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, limit in (("UPLOAD_LIMIT", 100), ("UPLOAD_ROWS", 19)):
        with monkeypatch.context() as patch:
            patch.setattr(imports, name, limit)
            with pytest.raises(InvalidInput) as refusal:
                upload(bea, *tokens(20))
        assert refusal.value.fields[0].code == "too-large"
    assert ImportRun.objects.count() == 0
    monkeypatch.setattr(imports, "UPLOAD_ROWS", 20)
    assert upload(bea, *tokens(20)).rows_total == 20


def test_who_may_not(bank: Bank, ada: User, bea: User) -> None:
    run = upload(bea, *tokens(1))
    digest = content_digest(run)
    for actor, error in (
        (customer_actor(ada), Forbidden),
        (staff_actor(make_staff(bank, Role.SUPPORT)), Forbidden),
        (staff_actor(make_staff(make_bank())), NotFound),
        (bank_actor(bank), NotFound),
    ):
        with pytest.raises(error):
            start_import(actor=actor, run_id=str(run.pk), digest=digest, reason="mine")
        with pytest.raises(error):
            discard_import(actor=actor, run_id=str(run.pk))
    with pytest.raises(NotFound):
        start_import(actor=staff_actor(bea), run_id="x", digest=digest, reason="mine")
    for actor in (customer_actor(ada), staff_actor(make_staff(bank, Role.AUDITOR))):
        with pytest.raises(Forbidden):
            upload_import(actor=actor, file_name="x.csv", data=sheet(*tokens(1)))
    assert counts(run)[0] == "READY"
    assert (events(), ImportRun.objects.count()) == ([], 1)


def test_only_what_was_looked_at_is_started(ada: User, bea: User) -> None:
    run = upload(bea, *tokens(1))
    with pytest.raises(Conflict) as refusal:
        start(bea, run, digest="0" * 64)
    assert refusal.value.code == "content-changed"
    assert counts(run)[0] == "READY"


def test_a_discarded_file_is_forgotten_once(ada: User, bea: User) -> None:
    run = upload(bea, *tokens(1))
    for _ in range(2):
        assert discard_import(actor=staff_actor(bea), run_id=str(run.pk)).state == ImportState.STOPPED
    assert counts(run)[0] == "STOPPED"
    assert (run.content_sealed, events()) == ("", ["device-import.ended"])
    with pytest.raises(InvalidState):
        start(bea, run, digest="")
    started = upload(bea, *tokens(1))
    start(bea, started)
    with pytest.raises(InvalidState) as refusal:
        discard_import(actor=staff_actor(bea), run_id=str(started.pk))
    assert refusal.value.code == "import-started"


@pytest.mark.django_db(transaction=True)
def test_importing_is_no_way_round_a_second_person_for_issuing() -> None:
    bank = make_bank()
    make_customer(bank, customer_number="C1")
    bea = make_staff(bank)
    run = upload(bea, *tokens(1))
    ApprovalPolicy.objects.create(bank=bank, required=["device.issue"], bulk_threshold=10, updated_at=clock.now())
    with pytest.raises(ApprovalRequired):
        start(bea, run)
    request = ApprovalRequest.objects.get()
    assert (request.operation, request.object_id) == ("device-import.start", str(run.pk))
    assert counts(run)[0] == "READY"
    import_work.sweep()
    assert Device.objects.count() == 0


def test_whoever_lost_the_right_meanwhile_issues_nothing(ada: User, bea: User) -> None:
    run = upload(bea, *tokens(1))
    start(bea, run)
    User.objects.filter(pk=bea.pk).update(role=Role.SUPPORT)
    import_work.run_import(str(run.pk))
    assert counts(run) == ("REFUSED", 0, 0, 0, 0)
    assert (told(run), Device.objects.count()) == ([(0, "", "starter-gone")], 0)


def test_a_worker_that_died_is_followed_when_its_claim_has_run_out(
    ada: User, bea: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_work, "BATCH", 2)
    run = upload(bea, *tokens(5))
    start(bea, run)
    claimed = import_work._claim(str(run.pk))
    assert claimed is not None
    content = imports.content_of(claimed)
    rows = list(imports.kept_rows(content, 0))[:2]
    import_engine.advance(staff_actor(bea), claimed, [row for row, _ in rows], position=rows[-1][1], write=True)
    assert counts(run) == ("RUNNING", 2, 2, 0, 0)

    import_work.run_import(str(run.pk))
    import_work.sweep()
    assert counts(run) == ("RUNNING", 2, 2, 0, 0)
    with time_machine.travel(clock.now() + import_engine.CLAIM + timedelta(seconds=1), tick=False):
        assert import_work.sweep() == 1
    assert counts(run) == ("DONE", 5, 5, 0, 0)
    assert Device.objects.count() == 5
    with pytest.raises(import_engine.ClaimLost):
        import_engine.advance(staff_actor(bea), claimed, [row for row, _ in rows], position=1, write=True)


def test_a_long_import_lets_others_have_their_turn(
    ada: User, bea: User, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr(import_work, "WORK_SECONDS", -1.0)
    run = upload(bea, *tokens(1))
    start(bea, run)
    with jobs.recorded() as rung:
        with django_capture_on_commit_callbacks(execute=True):
            import_work.run_import(str(run.pk))
        assert (counts(run)[0], rung) == ("WAITING", [("imports.run", str(run.pk))])


def test_the_sweep_closes_what_nobody_started_and_what_no_command_reads(bank: Bank, ada: User, bea: User) -> None:
    run = upload(bea, *tokens(1))
    actor = Actor.system("import_issued_devices", bank_id=bank.pk)
    left = import_work._begin(actor, "left.csv", 10, False)
    import_work.sweep()
    assert (counts(run)[0], counts(left)[0]) == ("READY", "RUNNING")
    with time_machine.travel(clock.now() + import_work.READY_KEPT, tick=False):
        import_work.sweep()
    assert (counts(run)[0], counts(left)[0]) == ("STOPPED", "STOPPED")
    assert run.content_sealed == ""


def test_a_row_that_breaks_does_not_stop_the_others(ada: User, bea: User, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, good = upload(bea, *tokens(1)), upload(bea, *tokens(1, start=5))
    start(bea, broken)
    start(bea, good)
    ImportRun.objects.filter(pk=broken.pk).update(content_sealed="broken")
    assert import_work.sweep() == 2
    assert counts(good)[0] == "DONE"


def test_a_run_that_cannot_be_stopped_does_not_stop_the_others(
    bank: Bank, ada: User, bea: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = Actor.system("import_issued_devices", bank_id=bank.pk)
    broken, left = (import_work._begin(actor, name, 1, False) for name in ("broken.csv", "left.csv"))
    good = upload(bea, *tokens(1))
    start(bea, good)

    def stop(run: ImportRun) -> None:
        if run.pk == broken.pk:
            raise ValueError("broken")
        import_engine.stop(run)

    monkeypatch.setattr(import_work, "stop", stop)
    with time_machine.travel(clock.now() + import_engine.CLAIM + timedelta(seconds=1), tick=False):
        assert import_work.sweep() == 1
    assert [counts(run)[0] for run in (broken, left, good)] == ["RUNNING", "STOPPED", "DONE"]


def test_an_import_that_fails_again_and_again_ends(ada: User, bea: User) -> None:
    run = upload(bea, *tokens(2))
    start(bea, run)
    ImportRun.objects.filter(pk=run.pk).update(content_sealed="broken")
    now = clock.now()
    for attempt in range(import_work.ATTEMPTS):
        with time_machine.travel(now + 2 * attempt * import_engine.CLAIM, tick=False):
            assert import_work.sweep() == 1
        assert (counts(run)[0], run.attempts) == ("RUNNING", attempt + 1)
    with time_machine.travel(now + 2 * import_work.ATTEMPTS * import_engine.CLAIM, tick=False):
        import_work.sweep()
        assert import_work.sweep() == 0
    assert counts(run) == ("REFUSED", 0, 0, 0, 0)
    assert (told(run), run.content_sealed) == ([(0, "", "failed-too-often")], "")
    assert (Device.objects.count(), events()) == (0, ["device-import.started", "device-import.ended"])


def test_a_batch_that_was_done_lets_an_import_try_as_often_again(
    ada: User, bea: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_work, "BATCH", 1)
    run = upload(bea, *tokens(2))
    start(bea, run)
    ImportRun.objects.filter(pk=run.pk).update(attempts=import_work.ATTEMPTS - 1)
    import_work.run_import(str(run.pk))
    assert counts(run) == ("DONE", 2, 2, 0, 0)
    assert run.attempts == 0


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_customers_in_other_orders_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (import_work, import_engine):
        monkeypatch.setattr(module, "BATCH", 1)
    monkeypatch.setattr("portal.races.ATTEMPTS", 1)
    bank = make_bank()
    bea = make_staff(bank)
    names = [str(make_customer(bank).customer_number) for _ in range(20)]
    runs = []
    for number, order in enumerate((names, names[::-1])):
        lines = [f"{name},otp-token,T{number}-{name},Token" for name in order]
        runs.append(upload(bea, *lines, all_or_nothing=True))
        start(bea, runs[-1])
    assert race(2, lambda number: import_work.run_import(str(runs[number].pk))) == [None, None]
    assert [counts(run)[0] for run in runs] == ["DONE", "DONE"]
    assert Device.objects.count() == 40


@pytest.mark.parametrize("number", [3, 90])
def test_a_batch_costs_the_same_for_few_rows_and_for_many(
    number: int, ada: User, bea: User, django_assert_max_num_queries: Any
) -> None:
    run = upload(bea, *tokens(number))
    start(bea, run)
    claimed = import_work._claim(str(run.pk))
    assert claimed is not None
    content = imports.content_of(claimed)
    rows = [row for row, _ in imports.kept_rows(content, 0)]
    with django_assert_max_num_queries(10):
        import_engine.advance(staff_actor(bea), claimed, rows, position=len(content), write=True)


def test_whoever_starts_it_is_kept_beside_whoever_uploaded_it(bank: Bank, ada: User, bea: User) -> None:
    run = upload(bea, *tokens(1))
    other = make_staff(bank)
    start(other, run)
    run.refresh_from_db()
    assert (run.uploaded_by, run.started_by) == (bea, other)


def test_move_to_walks_every_pair_of_states() -> None:
    for before in ImportState:
        for after in ImportState:
            run = ImportRun(state=before)
            if after in IMPORT_TRANSITIONS[before]:
                assert (run.move_to(after), run.state) == (before, after)
            else:
                with pytest.raises(InvalidState) as refusal:
                    run.move_to(after)
                assert (refusal.value.code, run.state) == ("import-state-not-valid", before)


def test_an_end_that_was_taken_back_is_reached_again(ada: User, bea: User, monkeypatch: pytest.MonkeyPatch) -> None:
    run = upload(bea, *tokens(1), all_or_nothing=True)
    start(bea, run)
    write = imports.record_end
    failed: list[str] = []

    def once(actor: Actor, ended: ImportRun) -> None:
        write(actor, ended)
        if not failed:
            failed.append(ended.state)
            raise IntegrityError

    monkeypatch.setattr(import_engine, "record_end", once)
    import_work.run_import(str(run.pk))
    assert (failed, counts(run)) == (["DONE"], ("DONE", 1, 1, 0, 0))
    assert events().count("device-import.ended") == 1
