"""Hyphen's two-factor requests, and how an application asks for one."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import models
from django.http import HttpResponse

from portal.accounts.scopes import SIGN_IN_SCOPES
from portal.api import waiting
from portal.api.base import Call, serves
from portal.api.hyphen import twofa_serializers as wire
from portal.api.hyphen.views import HyphenView
from portal.api.prefer import wanted_wait
from portal.core import clock
from portal.core.actor import Actor
from twofa.models import TwoFactorRequest
from twofa.operations.answering import approve_request, deny_request
from twofa.operations.asking import Asked, ask_again, request_two_factor
from twofa.policies import is_waiting
from twofa.queries.requests import asked_of, find_request, is_decided

CUSTOMER, SERVER = frozenset({"twofa"}), frozenset({"twofa:request"})


class _TwoFactor(HyphenView):
    """What the answers have in common."""

    required_scopes: ClassVar[frozenset[str] | Mapping[str, frozenset[str]]] = CUSTOMER

    def shown(self, request: TwoFactorRequest, number: str = "") -> wire.OneTwoFactor:
        """The request as the caller sees it."""
        body: dict[str, Any] = {"two_factor_auth": wire.seen(request, self.actor.device_id)}
        if number:
            body["number"] = number
        if self.actor.is_bank and request.given is not None:
            body["answer"] = request.given
        return wire.OneTwoFactor(body)

    def about(self, actor: Actor) -> models.Model | None:
        return find_request(actor, self.kwargs["id"]) if "id" in self.kwargs else None


class TwoFactorsView(_TwoFactor):
    required_scopes = {"GET": CUSTOMER, "POST": SERVER}

    @serves(Call(summary="What this device is asked", answer=wire.ManyTwoFactors))
    def get(self) -> HttpResponse:
        """Ours: what is open for the device that the token is bound to, the newest first."""
        found = [wire.seen(request, self.actor.device_id) for request in asked_of(self.actor)]
        return self.answer(wire.ManyTwoFactors({"two_factor_auths": found}))

    @serves(
        Call(
            summary="Ask a customer for approval",
            status=201,
            answer=wire.OneTwoFactor,
            body=wire.NewRequest,
            refusals=(404, 409),
        )
    )
    def post(self) -> HttpResponse:
        kind, facts = wire.facts_of(self.values)
        asked = request_two_factor(
            actor=self.actor,
            account_id=self.values["account_id"],
            kind=kind,
            facts=facts,
            text=self.values.get("message") or "",
            source_id=self.values.get("src_device_id") or "",
            destination_id=self.values.get("dest_device_id") or "",
        )
        return self._asked(asked)

    def _asked(self, asked: Asked) -> HttpResponse:
        location = f"/device/v1/2fa/{asked.request.pk}"
        return self.answer(self.shown(asked.request, asked.number), status=201, headers={"Location": location})


class TwoFactorView(_TwoFactor):
    required_scopes = {
        "GET": CUSTOMER | SERVER | SIGN_IN_SCOPES,
        "PUT": CUSTOMER | SERVER | SIGN_IN_SCOPES,
        "DELETE": CUSTOMER,
    }

    @serves(Call(summary="Get 2FA status", answer=wire.OneTwoFactor, refusals=(404,)))
    def get(self, id: str) -> HttpResponse:
        """`Prefer: wait=N` holds the answer back, for the side that waits, until somebody answers."""
        request = find_request(self.actor, id)
        seconds = wanted_wait(self.http) if is_waiting(self.actor, request) else 0
        if not seconds or not request.is_open:
            return self.answer(self.shown(request))
        left = (request.expires_at - clock.now()).total_seconds()
        who = (self.actor.token_id, request.pk)
        waited = waiting.wait_until(lambda: is_decided(request), min(seconds, left), who=who)
        applied = {"Preference-Applied": f"wait={seconds}"} if waited else {}
        return self.answer(self.shown(find_request(self.actor, id)), headers=applied)

    @serves(Call(summary="Re-request 2FA request", answer=wire.OneTwoFactor, body=wire.Again, refusals=(404, 409)))
    def put(self, id: str) -> HttpResponse:
        asked = ask_again(actor=self.actor, id=id, destination_id=self.values["dest_device_id"])
        return self.answer(self.shown(asked.request, asked.number))

    @serves(
        Call(
            summary="Deny 2FA",
            status=204,
            representation=wire.OneTwoFactor,
            query=wire.DenyQuery,
            refusals=(404, 409),
        )
    )
    def delete(self, id: str) -> HttpResponse:
        denied = deny_request(actor=self.actor, id=id, not_me=self.query.get("not_me") == "true")
        return self.no_content(lambda: self.shown(denied))


class ApproveView(_TwoFactor):
    @serves(
        Call(
            summary="Approve 2FA request",
            status=204,
            representation=wire.OneTwoFactor,
            body=wire.Approved,
            refusals=(404, 409),
        )
    )
    def post(self, id: str) -> HttpResponse:
        sent = {name: self.values.get(name) or "" for name in ("tx_id", "signature", "number")}
        approved = approve_request(actor=self.actor, id=id, **sent)
        return self.no_content(lambda: self.shown(approved))
