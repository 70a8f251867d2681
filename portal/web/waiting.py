"""What waits for a second person, on the portal's other pages: a message after a form, a badge at an object."""

from django.contrib import messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.accounts.roles import Capability
from portal.approvals import policies
from portal.approvals.models import ApprovalRequest
from portal.approvals.queries import open_about
from portal.approvals.registry import label_of
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired
from portal.web.approval_rows import left
from portal.web.events import object_url


def badges(actor: Actor, obj: models.Model) -> list[dict[str, object]]:
    """What waits at an object, for `partials/approval_badge.html` (as `waiting`). One query."""
    return [badge(actor, request) for request in open_about(actor, obj)]


def badge(actor: Actor, request: ApprovalRequest) -> dict[str, object]:
    """One of them."""
    return {
        "label": label_of(request.operation),
        "url": reverse("approvals:detail", args=[request.public_id]),
        "maker": request.maker_label,
        "mine": policies.is_maker(actor, request),
        "left": left(request),
    }


def asked(request: HttpRequest, actor: Actor, error: ApprovalRequired, about: models.Model | None) -> HttpResponse:
    """The answer to a form whose work waits now: a message, and back to its object or else to the request."""
    messages.success(request, message(actor, error), fail_silently=True)
    page = object_url(str(about._meta.model_name), str(about.pk), actor) if about else ""
    return redirect(page or _url(actor, error) or "web:dashboard")


def message(actor: Actor, error: ApprovalRequired) -> SafeString:
    """That it waits for a second person, with a link for who may look at requests."""
    url = _url(actor, error)
    link = format_html(' <a href="{}">See the request</a>', url) if url else ""
    return format_html("{}{}", error.message, link)


def _url(actor: Actor, error: ApprovalRequired) -> str:
    return reverse("approvals:detail", args=[error.request_id]) if actor.can(Capability.APPROVALS_READ) else ""
