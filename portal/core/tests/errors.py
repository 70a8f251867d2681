"""Each class of error, made with as little as it needs."""

from portal.core.errors import ApprovalRequired, BrokenRule, DomainError, RulesBroken


def made(kind: type[DomainError]) -> DomainError:
    if kind is ApprovalRequired:
        return ApprovalRequired(request_id="APR_1")
    if kind is RulesBroken:
        return RulesBroken(findings=(BrokenRule("rsa-too-short", "The key is too short.", "SP 800-57"),))
    return kind()
