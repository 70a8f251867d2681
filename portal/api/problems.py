"""Problem details (RFC 9457), the form of refusals where a client's own material names none."""

from rest_framework import serializers

from portal.api.dialect import Dialect, Refusal, phrase
from portal.api.serializing import Output

PROBLEM_TYPE = "application/problem+json"


class FieldErrorBody(Output):
    field = serializers.CharField(allow_blank=True)
    code = serializers.CharField(help_text="The rule, in kebab case")
    message = serializers.CharField()


class FindingBody(Output):
    rule = serializers.CharField(help_text="The rule, in kebab case")
    message = serializers.CharField()
    source = serializers.CharField(help_text="Where the rule is written")  # type: ignore[assignment]


class Problem(Output):
    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text="The rule, in kebab case")
    errors = FieldErrorBody(many=True, required=False)  # type: ignore[assignment]
    findings = FindingBody(many=True, required=False)
    request_id = serializers.CharField(required=False)


def problem_body(refusal: Refusal, dialect: Dialect) -> dict[str, object]:
    """The body of a refusal. `about:blank` says that the title is the status's own (RFC 9457 4.2.1)."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": phrase(refusal.status),
        "status": refusal.status,
        "detail": refusal.message,
        "code": refusal.code,
    }
    if refusal.status == 400 and refusal.fields:
        body["errors"] = [
            {"field": dialect.field_name(problem), "code": problem.code, "message": problem.message}
            for problem in refusal.fields
        ]
    if refusal.findings:
        body["findings"] = [
            {"rule": finding.rule, "message": finding.message, "source": finding.source}
            for finding in refusal.findings
        ]
    if refusal.status >= 500 and refusal.request_id:
        body[dialect.spelling.name("request_id")] = refusal.request_id
    return body
