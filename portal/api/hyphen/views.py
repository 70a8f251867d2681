"""Hyphen's endpoints."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

from django.db import models
from django.http import HttpResponse

from devices.operations.editing import edit_device
from devices.queries.keyed import Keyed, keyed_device, keyed_devices
from portal.accounts.operations.clients import is_app_secret
from portal.api.base import Call, DialectView, serves
from portal.api.hyphen import serializers as wire
from portal.api.hyphen.wire import DIALECT
from portal.api.unknown import UnknownView
from portal.core.actor import Actor
from portal.core.errors import FieldProblem, InvalidInput, Unauthenticated
from portal.crypto.keys import InvalidKey, parse_public_key


class HyphenView(DialectView):
    dialect = DIALECT
    required_scopes: ClassVar[frozenset[str] | Mapping[str, frozenset[str]]] = frozenset({"devices"})

    def admit(self) -> None:
        """The token names the application already; a secret that comes along has to be that application's."""
        secret = self.http.META.get("HTTP_X_HYPHEN_APP_SECRET")
        application = self.token.application
        if secret is not None and (application is None or not is_app_secret(application, secret)):
            raise Unauthenticated(
                "The app secret is not this application's.", code="app-secret-wrong", bearer_sent=True
            )


class DevicesView(HyphenView):
    @serves(Call(summary="List my devices", answer=wire.ManyDevices))
    def get(self) -> HttpResponse:
        return self.answer(wire.ManyDevices({"devices": keyed_devices(self.actor)}))


class DeviceView(HyphenView):
    @serves(Call(summary="Edit device", body=wire.EditedDevice, answer=wire.OneDevice, refusals=(404, 409)))
    def put(self, public_key: str) -> HttpResponse:
        keyed = keyed_device(self.actor, public_key)
        self._require_unchanged(keyed)
        edited = edit_device(actor=self.actor, device_id=str(keyed.device.pk), edit=wire.edit_of(self.values))
        return self.answer(wire.OneDevice({"device": Keyed(edited, keyed.key)}))

    def _require_unchanged(self, keyed: Keyed) -> None:
        """What names the device and says what it is may be sent along, as it is."""
        same = {"id": _is_id, "public_key": _is_key, "type": _is_type}
        changed = [
            FieldProblem(name, "not-writable", "This cannot be changed.")
            for name, is_same in same.items()
            if self.values.get(name) is not None and not is_same(keyed, self.values[name])
        ]
        if changed:
            raise InvalidInput(fields=tuple(changed))

    def about(self, actor: Actor) -> models.Model | None:
        return keyed_device(actor, self.kwargs["public_key"]).device


def _is_id(keyed: Keyed, text: str) -> bool:
    try:
        return UUID(text) == keyed.device.pk
    except ValueError:
        return False


def _is_key(keyed: Keyed, text: str) -> bool:
    try:
        return parse_public_key(text).fingerprint == keyed.key.fingerprint
    except InvalidKey:
        return False


def _is_type(keyed: Keyed, text: str) -> bool:
    return text == wire.type_of(keyed.device.kind)


class UnknownHyphenView(UnknownView):
    dialect = DIALECT
