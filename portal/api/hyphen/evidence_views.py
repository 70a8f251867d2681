"""What proves an answer, for the application that asked. Ours; the vendor has no such call."""

from django.db import models
from django.http import HttpResponse
from rest_framework import serializers

from portal.api.base import Call, serves
from portal.api.hyphen.views import HyphenView
from portal.api.serializing import Output
from portal.core.actor import Actor
from twofa.operations.evidence import FORMAT, take_evidence
from twofa.queries.requests import find_request


class LogBody(Output):
    """The answer's event in the audit log, and the way from it to a root that the log signed."""

    leaf = serializers.CharField(source="inclusion.leaf")
    position = serializers.IntegerField(source="inclusion.position")
    path = serializers.ListField(source="inclusion.path", child=serializers.CharField(), help_text="Nearest first")
    checkpoint = serializers.CharField(source="inclusion.checkpoint")
    public_key = serializers.CharField(source="log_key", help_text="PEM; get it in another way, too")


class EvidenceBody(Output):
    """The package that `check_evidence.py` checks."""

    format = serializers.SerializerMethodField()
    message = serializers.CharField(help_text="The very text that was signed")
    salt = serializers.CharField(allow_blank=True)
    signature = serializers.CharField(allow_blank=True, help_text="Hex; empty where nothing was signed")
    tx_id = serializers.CharField(allow_blank=True)
    public_key = serializers.CharField(allow_blank=True, help_text="The device's, PEM")
    audit = LogBody(source="*")

    def get_format(self, evidence: object) -> str:
        return FORMAT


class EvidenceView(HyphenView):
    required_scopes = frozenset({"twofa:request"})

    @serves(Call(summary="Get the evidence of an answer", answer=EvidenceBody, refusals=(404, 409)))
    def get(self, id: str) -> HttpResponse:
        """Each taking is in the audit log. About a second after the answer it is still 409 `not-sealed-yet`."""
        return self.answer(EvidenceBody(take_evidence(actor=self.actor, id=id)))

    def about(self, actor: Actor) -> models.Model | None:
        return find_request(actor, self.kwargs["id"])
