"""POSTs with an Idempotency-Key: the work is done once, and a repeat gets the first answer, refusals included."""

import logging
from collections.abc import Callable

from django.db import Error as DatabaseProblem
from django.http import HttpRequest, HttpResponse

from portal import idempotency
from portal.api.refusals import write_replay
from portal.core.actor import Actor

logger = logging.getLogger("portal.api")


def answer(
    request: HttpRequest,
    actor: Actor,
    data: bytes,
    work: Callable[[], HttpResponse],
    *,
    secret: bool = False,
    kept: bool = True,
) -> HttpResponse:
    """Do the work, or give the answer that the same client, user, path and key had before (`Idempotent-Replayed`).

    work: answers, and turns its own errors into answers. secret: the body holds a PIN or a code, so that a
    key tells only once that another body came. kept: whether an answer that is no refusal may be kept at all. Raises
    what `idempotency.begin` raises.
    """
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if request.method != "POST" or key is None:
        return work()
    begun = idempotency.begin(
        client_id=actor.application_id, user_id=actor.user_id, path=request.path, key=key, body=data, secret=secret
    )
    if isinstance(begun, idempotency.Replay):
        if begun.status >= 400:
            write_replay(request, actor, begun.status)
        return _replayed(begun)
    try:
        response = work()
    except BaseException:
        idempotency.abandon(begun)
        raise
    _keep(begun, response, kept)
    return response


def _replayed(first: idempotency.Replay) -> HttpResponse:
    response = HttpResponse(first.body, status=first.status)
    del response["Content-Type"]  # an empty answer had none
    for name, value in {**first.headers, "Idempotent-Replayed": "true"}.items():
        response[name] = value
    return response


def _keep(begun: idempotency.Fresh, response: HttpResponse, kept: bool) -> None:
    """The work is done: an answer that cannot be kept is still given."""
    try:
        if not kept and response.status_code < 400:
            return idempotency.finish_unkept(begun)
        idempotency.finish(begun, status=response.status_code, headers=dict(response.items()), body=response.content)
    except DatabaseProblem:
        logger.exception("an answer could not be kept for its Idempotency-Key")
