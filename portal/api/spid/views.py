"""SPiD's endpoint."""

from django.http import HttpResponse

from devices.operations.fingerprints import record_fingerprint
from portal.accounts.operations.client_signing import sign_secret_of
from portal.accounts.queries import claimed_client
from portal.api.base import Call, DialectView, serves
from portal.api.spid import serializers as wire
from portal.api.spid.signing import signed
from portal.api.spid.wire import DIALECT, container
from portal.api.unknown import UnknownView
from portal.core.errors import InvalidInput

RECORD = Call(
    summary="Record the device of a sign-in",
    status=201,
    query=wire.Along,
    body=wire.Login,
    answer=wire.Container,
    refusals=(404,),
)


class DevicesView(DialectView):
    dialect = DIALECT
    required_scopes = frozenset({"fingerprints"})

    @serves(RECORD)
    def post(self) -> HttpResponse:
        self._require_context()
        recorded = record_fingerprint(
            actor=self.actor,
            device_id=self.values["device_id"],
            platform=wire.PLATFORMS[self.values["platform"]],
            application_name=self.values["application_name"],
            application_version=self.values.get("application_version", ""),
        )
        return self._created({"hash": recorded.fingerprint.hash})

    def _require_context(self) -> None:
        """SDKs name the client in the query, others in the body."""
        named = {part["context_client_id"] for part in (self.query, self.values) if part.get("context_client_id")}
        if len(named) > 1:
            raise InvalidInput.at("context_client_id", "invalid-format", "Query and body name different clients.")
        for client_id in named:
            claimed_client(self.actor, client_id)

    def _created(self, data: dict[str, str]) -> HttpResponse:
        """The hash stands in the container and at the top: SDKs read one, the vendor's description has the other."""
        secret = sign_secret_of(self.token.application) if self.token.application else ""
        parts: dict[str, object] = {**signed(data, secret)} if secret else {"data": data}
        body = container(type="element", code=201, rate=self.rate, object="DeviceFingerprint", **parts, **data)
        return self.answer(wire.Container(body), status=201)


class DevicesJsonView(DevicesView):
    """The same under its other address."""


class UnknownSpidView(UnknownView):
    dialect = DIALECT
