from collections.abc import Iterator

import pytest

from portal.audit import sealing
from portal.audit.models import AuditEvent
from portal.audit.testing import without_triggers
from portal.audit.tests.factories import write_events
from portal.audit.verification import verify


@pytest.fixture
def ten(db: None) -> Iterator[list[AuditEvent]]:
    """Ten events under three checkpoints of sizes 4, 8 and 10; the whole is good. Then the triggers are gone."""
    events = []
    for number in (4, 4, 2):
        events += write_events(number)
        sealing.seal_now()
    report = verify()
    assert (report.problem, report.leaves, report.checkpoints, report.unsealed) == ("", 10, 3, 0)
    with without_triggers():
        yield events
