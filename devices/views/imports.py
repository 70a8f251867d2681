"""The portal's pages about imports of cards and tokens. They translate; what may happen, the operations decide."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from devices.forms.imports import StartForm, UploadForm
from devices.models import ImportRun
from devices.operations import imports as operations
from devices.operations.import_rows import COLUMNS, REQUIRED
from devices.operations.issued import ISSUE
from devices.policies import issued as policies
from devices.queries import issued as queries
from devices.screens import imports as screens
from devices.screens.issued import second_person
from devices.sheets import empty_sheet, refused_sheet
from devices.views.issued import as_csv
from portal.web.access import StaffRequest, signed_in
from portal.web.attempts import attempt
from portal.web.paging import list_template, pager
from portal.web.step_up import fresh_to_send
from portal.web.uploads import take_uploads
from portal.web.waiting import badges


@require_safe
@signed_in
def import_list(request: StaffRequest) -> HttpResponse:
    """The newest imports, 25 to a page."""
    page = queries.imports_page(request.actor, request.GET.get("cursor"))
    context = {
        "imports": [screens.row(run) for run in page.items],
        "pager": pager(request, previous_cursor=page.previous_cursor, next_cursor=page.next_cursor),
    }
    return render(request, list_template(request, "devices/imports.html"), context)


@csrf_exempt  # nothing is read before it is known who asks and how a file is kept; `_upload` looks at the token
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def upload(request: StaffRequest) -> HttpResponse:
    """Choose a file; it is read and shown before anything is issued."""
    policies.issue(request.actor).require()
    handler = take_uploads(request, operations.UPLOAD_LIMIT)
    return _upload(request) if handler is not None else _upload_page(request, _too_large(UploadForm({})))


@csrf_protect
def _upload(request: StaffRequest) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if any(getattr(handler, "too_large", False) for handler in request.upload_handlers):
        _too_large(form)
    elif run := attempt(request, form, lambda: _take(request, form)):
        return redirect("devices:issued-import", run.pk)
    return _upload_page(request, form)


def _take(request: StaffRequest, form: UploadForm) -> ImportRun:
    file = form.cleaned_data["file"]
    return operations.upload_import(
        actor=request.actor,
        file_name=file.name,
        data=file.read(),
        all_or_nothing=form.cleaned_data["all_or_nothing"],
    )


def _too_large(form: UploadForm) -> UploadForm:
    """The form says that, and not that the file is missing."""
    form.errors.clear()
    form.refuse(operations.too_large())
    return form


def _upload_page(request: StaffRequest, form: UploadForm) -> HttpResponse:
    columns = [{"name": name, "required": name in REQUIRED} for name in COLUMNS]
    context = {"form": form, "columns": columns}
    return render(request, "devices/import_new.html", context, status=form.answer_status)


@require_safe
@signed_in
def import_detail(request: StaffRequest, run_id: UUID) -> HttpResponse:
    """What was read, how far it is, and which rows were refused."""
    return _page(request, _run(request, run_id))


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_to_send
def start(request: StaffRequest, run_id: UUID) -> HttpResponse:
    """Let the workers take what was looked at."""
    if request.method != "POST":
        return redirect("devices:issued-import", run_id)
    run = _run(request, run_id)
    form = StartForm(request.POST)

    def begin() -> ImportRun:
        digest = request.POST.get("digest", "")[:64]
        reason = form.cleaned_data["reason"]
        return operations.start_import(actor=request.actor, run_id=str(run.pk), digest=digest, reason=reason)

    if attempt(request, form, begin) is None:
        return _page(request, _run(request, run_id), form)
    messages.success(request, "The import was started.")
    return redirect("devices:issued-import", run.pk)


@require_POST
@signed_in
def discard(request: StaffRequest, run_id: UUID) -> HttpResponse:
    """Forget what was uploaded."""
    _run(request, run_id)
    operations.discard_import(actor=request.actor, run_id=str(run_id))
    messages.success(request, "The file was forgotten. Nothing was issued.")
    return redirect("devices:issued-imports")


@require_safe
@signed_in
def refused(request: StaffRequest, run_id: UUID) -> HttpResponse:
    """The refused rows as CSV."""
    return as_csv(refused_sheet(_run(request, run_id)), "refused-rows.csv")


@require_safe
@signed_in
def empty(request: StaffRequest) -> HttpResponse:
    """A file with nothing but the header."""
    return as_csv([empty_sheet()], "import.csv")


def _run(request: StaffRequest, run_id: UUID) -> ImportRun:
    """The import, noted on the request: refusals name it."""
    run = queries.get_import(request.actor, run_id)
    request.about = run
    return run


def _page(request: StaffRequest, run: ImportRun, form: StartForm | None = None) -> HttpResponse:
    form = form or StartForm()
    shown = screens.row(run)
    refusals, more = queries.first_refusals_of(run)
    context = {
        "run": shown,
        "tiles": screens.tiles(run),
        "refusals": [screens.refusal(found) for found in refusals],
        "more": more,
        "waiting": badges(request.actor, run) if shown["ready"] else [],
        "asks": second_person(request.actor, operations.START, ISSUE) if shown["ready"] else "",
        "digest": operations.content_digest(run) if shown["ready"] else "",
        "form": form,
    }
    part = "#progress" if request.headers.get("HX-Request") == "true" else ""
    return render(request, f"devices/import.html{part}", context, status=form.answer_status)
