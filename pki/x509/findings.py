"""What a check has to say: a finding per broken rule, and the refusal that carries all of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from pki.x509.rules import REQUEST_RULES


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule: its id, a sentence for a person, and where the rule is written."""

    rule: str
    sentence: str
    source: str


class RequestRefused(ValueError):
    """A request is not taken. ``findings`` holds every rule it breaks, at least one, none twice."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(dict.fromkeys(findings))
        super().__init__(", ".join(dict.fromkeys(finding.rule for finding in self.findings)))

    @property
    def rules(self) -> tuple[str, ...]:
        """The ids of the broken rules, each once."""
        return tuple(dict.fromkeys(finding.rule for finding in self.findings))


def finding(rule: str, **facts: int | str) -> Finding:
    """A finding of the catalogue. Facts are numbers, object identifiers and words of ours, never input text."""
    sentence, source = REQUEST_RULES[rule]
    return Finding(rule, sentence.format(**facts), source)


class Findings(list[Finding]):
    """The findings of one check, in the order they were met."""

    def add(self, rule: str, **facts: int | str) -> None:
        self.append(finding(rule, **facts))
