"""Trying an operation from a page: done, or the form once more with what stood in the way."""

from collections.abc import Callable

from django.db import models

from portal.accounts.operations.passkeys import Purpose, verify_passkey
from portal.accounts.operations.second_factor import Verified, verify_second_factor
from portal.core.errors import DomainError, Forbidden, NotFound, RateLimited, VerificationFailed
from portal.web import fresh
from portal.web.access import StaffRequest
from portal.web.forms import CodeForm, PortalForm
from portal.web.passkey_forms import AnswerForm, session_of
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


class FactorWanted(Exception):
    """A form that wants a second factor came without one; `step_up.proved_each_time` asks for it."""


def fresh_factor(request: StaffRequest, code: str) -> Verified:
    """The proof that the second factor was right just now: by the form's own code, or by what was asked after it.

    Raises FactorWanted for an empty code. The check itself writes down what it refuses.
    """
    if request.proof is not None:
        return request.proof
    if not code:
        raise FactorWanted
    return _proved(request, code=code)


def prove(request: StaffRequest, form: CodeForm | AnswerForm) -> Verified:
    """What a form proves that asks for nothing but a code, or a passkey's answer."""
    if isinstance(form, AnswerForm):
        return _proved(request, answer=form.cleaned_data["answer"])
    return _proved(request, code=form.cleaned_data["code"])


def _proved(request: StaffRequest, *, code: str = "", answer: str = "") -> Verified:
    """Check one of the two, and remember what was right for the forms of the next five minutes."""
    actor, person = request.actor, request.person
    try:
        if answer:
            proof = verify_passkey(
                actor=actor, user=person, answer=answer, purpose=Purpose.STEP_UP, session=session_of(request)
            )
        else:
            proof = verify_second_factor(actor=actor, user=person, code=code, signing_in=False)
    except (VerificationFailed, RateLimited) as error:
        error.audited = True
        raise
    fresh.stamp(request, person, proof.kind)
    return proof
