"""Trying an operation from a page: done, or the form once more with what stood in the way."""

from collections.abc import Callable

from django.db import models

from portal.accounts.operations.second_factor import Verified, verify_second_factor
from portal.core.errors import DomainError, Forbidden, NotFound, RateLimited, VerificationFailed
from portal.web.access import StaffRequest
from portal.web.forms import PortalForm
from portal.web.refusals import write_refusal


def attempt[R](
    request: StaffRequest,
    form: PortalForm,
    work: Callable[[], R],
    about: models.Model | None = None,
    *,
    finds_nothing: bool = False,
) -> R | None:
    """What `work` gives; None when the form is not valid or the operation refused, which the form then tells.

    about: the object that the refusal's one audit event names; the page's own unless another is given.
    finds_nothing: an object that a field names may be missing, so that NotFound is told at the form, too.
    Otherwise Forbidden and NotFound leave for `signed_in`, as does what waits for a second person now.
    """
    if not form.is_valid():
        return None
    try:
        return work()
    except Forbidden:
        raise
    except DomainError as error:
        if isinstance(error, NotFound) and not finds_nothing:
            raise
        write_refusal(request, request.actor, error, about or request.about)
        form.refuse(error)
        return None


def fresh_factor(request: StaffRequest, code: str) -> Verified:
    """The proof that a code of the second factor was right just now. The check itself writes down what it refuses."""
    try:
        return verify_second_factor(actor=request.actor, user=request.person, code=code, signing_in=False)
    except (VerificationFailed, RateLimited) as error:
        error.audited = True
        raise
