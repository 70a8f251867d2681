"""Imports as the portal's pages show them."""

from django.urls import reverse

from devices.models import ImportRefusal, ImportRun
from devices.states import ImportState


def row(run: ImportRun) -> dict[str, object]:
    """An import for the list and its own page.

    by_command: a command read the file, so that nobody uploaded or started it here. started_by: "" until somebody
    has. going: a worker is at it, so that the page looks again.
    """
    return {
        "id": str(run.pk),
        "url": reverse("devices:issued-import", args=[run.pk]),
        "file_name": run.file_name,
        "mark": f"import-{run.state.lower()}",
        "by_command": run.uploaded_by is None,
        "uploaded_by": run.uploaded_by.name if run.uploaded_by else "",
        "started_by": run.started_by.name if run.started_by else "",
        "created_at": run.created_at,
        "ended_at": run.ended_at,
        "all_or_nothing": run.all_or_nothing,
        "total": run.rows_total,
        "done": run.rows_done,
        "percent": run.rows_done * 100 // run.rows_total if run.rows_total else 0,
        "issued": run.rows_issued,
        "unchanged": run.rows_unchanged,
        "refused": run.rows_refused,
        "good": run.rows_total - run.rows_refused,
        "ready": run.state == ImportState.READY,
        "going": run.state in {ImportState.WAITING, ImportState.RUNNING},
    }


def tiles(run: ImportRun) -> list[dict[str, object]]:
    """What came of the rows."""
    note = "in the file" if run.state == ImportState.READY else f"{run.rows_done:,} done"
    return [
        {"label": "Rows", "value": run.rows_total, "note": note},
        {"label": "Issued", "value": run.rows_issued, "note": "new cards and tokens"},
        {"label": "There already", "value": run.rows_unchanged, "note": "the same reference, unchanged"},
        {"label": "Refused", "value": run.rows_refused, "note": "named below, by line"},
    ]


def refusal(found: ImportRefusal) -> dict[str, object]:
    """A refused row. What stood in it was not kept."""
    return {"line": found.line, "column": found.field, "rule": found.code, "message": found.message}
