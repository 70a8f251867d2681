"""The portal's door: who gets in, and what happens when an operation says no."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, cast
from urllib.parse import urlencode

from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from portal.accounts.models import User
from portal.accounts.operations.second_factor import Verified
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired, DomainError
from portal.web import errors, waiting
from portal.web.actor import actor_of, signed_in_person
from portal.web.refusals import write_refusal


class StaffRequest(HttpRequest):
    """A request from somebody who is signed in.

    about: the object that the page is about, once the view has read it; refusals name it.
    proof: the second factor that was asked for what is sent now (`step_up.proved_each_time`).
    """

    person: User
    actor: Actor
    about: models.Model | None
    proof: Verified | None


type Door[**P] = Callable[Concatenate[HttpRequest, P], HttpResponse]
type StaffView[**P] = Callable[Concatenate[StaffRequest, P], HttpResponse]


def signed_in[**P](view: StaffView[P]) -> Door[P]:
    """Let staff in whose password and second factor were right; send everybody else to the sign-in.

    A DomainError that leaves the view becomes one audit event and a page. What waits for a second person becomes a
    message on the page of its object.
    """

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        person = signed_in_person(request)
        if person is None:
            return redirect(_sign_in_url(request))
        ours = cast("StaffRequest", request)
        ours.person, ours.actor, ours.about, ours.proof = person, actor_of(request, person), None, None
        try:
            return view(ours, *args, **kwargs)
        except ApprovalRequired as error:
            return waiting.asked(request, ours.actor, error, ours.about)
        except DomainError as error:
            write_refusal(request, ours.actor, error, ours.about)
            return errors.refused(request, error)

    return guarded


def _sign_in_url(request: HttpRequest) -> str:
    """Back to the page after the sign-in; a form that was sent is not sent again."""
    url = reverse("web:sign-in")
    path = request.get_full_path()
    return f"{url}?{urlencode({'next': path})}" if request.method == "GET" and path != "/" else url
