"""Hyphen's sign-in: an application shows its secret, a bank's provider says who, and a device proves itself."""

from typing import ClassVar

from django.http import HttpResponse

from devices.operations.enrolment import sign_up
from devices.operations.new_device_sign_in import finish_new_device, start_new_device
from devices.operations.sign_in import answer_challenge, start_challenge
from portal.accounts.actors import client_actor
from portal.accounts.models import Application
from portal.accounts.operations.clients import application_of
from portal.accounts.operations.refresh import UNPROVED, refresh_session
from portal.accounts.policies import ip_allowed
from portal.accounts.proofs import proved_key
from portal.accounts.scopes import SIGN_IN_SCOPES
from portal.api.auth import Bearer, count, remember
from portal.api.base import Call, serves
from portal.api.hyphen import auth_serializers as wire
from portal.api.hyphen.twofa_serializers import seen
from portal.api.hyphen.views import HyphenView
from portal.core.actor import Actor
from portal.core.errors import Forbidden, Unauthenticated, VerificationFailed
from portal.requests import client_ip, request_id


class _AppView(HyphenView):
    """The application shows its secret in `X-Hyphen-App-Secret`; nobody is signed in yet."""

    without_token: ClassVar[bool] = True
    keeps_answers: ClassVar[bool] = False
    application: Application

    def knock(self, method: str) -> None:
        """Every call counts, good or not: by address where no application is known. Raises RateLimited."""
        ip, name = client_ip(self.http), request_id(self.http)
        found = application_of(self.http.META.get("HTTP_X_HYPHEN_APP_SECRET", "")[:256])
        if found is None or found.suspended_at is not None:
            remember(self.http, Bearer(None, Actor.anonymous(self.dialect.channel, ip=ip, request_id=name)))
            count(f"address:{ip}", self.dialect.limit)
            raise Unauthenticated(
                "The app secret is not an application's.", code="app-secret-wrong", bearer_sent=True
            )
        self.application = found
        self.actor = client_actor(found, channel=self.dialect.channel, ip=ip, request_id=name)
        remember(self.http, Bearer(None, self.actor))
        self.rate = count(f"sign-in:{found.pk}:{ip}", self.dialect.limit)
        if not ip_allowed(found, ip):
            raise Forbidden("This client may not call from this address.", code="ip-not-allowed")
        if self.dialect.name not in found.dialects:
            raise Forbidden("This client may not use this API.", code="dialect-not-open")

    def admit(self) -> None:
        """The secret was looked at."""


class ChallengeView(_AppView):
    """Asks for something to sign."""

    @serves(Call(summary="Sign-in challenge", body=wire.ChallengeAsked, answer=wire.ChallengeBody, refusals=(409,)))
    def post(self) -> HttpResponse:
        request = self.values["request"]
        challenge = start_challenge(
            actor=self.actor,
            application=self.application,
            method=request["method"],
            token=request["token"],
            public_key=self.values["public_key"],
        )
        return self.answer(wire.ChallengeBody(challenge))


class RespondView(_AppView):
    """Signs in with a device's key."""

    @serves(
        Call(summary="Respond to a challenge", body=wire.ChallengeAnswered, answer=wire.SignedInBody, refusals=(409,))
    )
    def post(self) -> HttpResponse:
        done = answer_challenge(
            actor=self.actor,
            application=self.application,
            text=self.values["challenge_data"],
            signature=self.values["device_key"]["signature"],
        )
        return self.answer(wire.signed_in(done))


class NewDeviceView(_AppView):
    """Signs in from a new device, by approval on an old one."""

    @serves(
        Call(
            summary="Sign in from a new device", body=wire.NewDeviceAsked, answer=wire.NewDeviceBody, refusals=(409,)
        )
    )
    def post(self) -> HttpResponse:
        request, key = self.values["request"], self.values["user_key"]
        started = start_new_device(
            actor=self.actor,
            application=self.application,
            method=request["method"],
            token=request["token"],
            device=wire.device_of(key),
            **wire.key_of(key),
        )
        asked = started.asked
        body: dict[str, object] = {
            "two_factor_auth": seen(asked.request, None),
            "ephemeral_access_token": started.raw,
        }
        return self.answer(wire.NewDeviceBody({**body, **({"number": asked.number} if asked.number else {})}))


class SignUpView(_AppView):
    """Enrols a customer's first device."""

    @serves(Call(summary="Sign up", status=201, body=wire.SignUp, answer=wire.SignedInBody, refusals=(409,)))
    def post(self) -> HttpResponse:
        key = self.values["user_key"]
        done = sign_up(
            actor=self.actor,
            application=self.application,
            method=self.values["method"],
            token=self.values["token"],
            activation_code=self.values["activation_code"],
            device=wire.device_of(key),
            **wire.key_of(key),
        )
        return self.answer(wire.signed_in(done), status=201)


class RefreshView(_AppView):
    """Renews a session. The refresh token says whose; the application's secret may be left out."""

    def knock(self, method: str) -> None:
        ip, name = client_ip(self.http), request_id(self.http)
        self.actor = Actor.anonymous(self.dialect.channel, ip=ip, request_id=name)
        remember(self.http, Bearer(None, self.actor))
        self.rate = count(f"refresh:{ip}", self.dialect.limit)

    @serves(Call(summary="Refresh", body=wire.Refresh, answer=wire.RefreshedBody))
    def post(self) -> HttpResponse:
        secret = self.http.META.get("HTTP_X_HYPHEN_APP_SECRET")
        raw, proved = self.values["refresh_token"], proved_key(self.http)
        try:
            pair = refresh_session(actor=self.actor, raw=raw, app_secret=secret, proved_key=proved)
        except VerificationFailed as failed:
            code = UNPROVED if failed.code == UNPROVED else "refresh-token-invalid"
            refusal = Unauthenticated("The refresh token is not valid.", code=code, bearer_sent=True)
            refusal.audited = failed.audited
            raise refusal from None
        return self.answer(wire.refreshed(pair))


class FinishView(HyphenView):
    required_scopes = SIGN_IN_SCOPES
    keeps_answers: ClassVar[bool] = False

    @serves(Call(summary="Finish a sign-in", body=wire.Finish, answer=wire.SignedInBody, refusals=(404, 409)))
    def post(self) -> HttpResponse:
        done = finish_new_device(actor=self.actor, request_id=self.values["two_factor_auth_request_id"])
        return self.answer(wire.signed_in(done))
