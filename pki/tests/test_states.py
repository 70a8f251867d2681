"""Which state may follow which: every pair of every table, by the one line that assigns a state."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import TextChoices

from pki.models import Certificate, CertificateAuthority, CertificateRequest, RollOver, Rotation
from pki.states import (
    CA_TRANSITIONS,
    CERTIFICATE_TRANSITIONS,
    ENDABLE,
    LIVE,
    NEVER_ISSUED,
    REQUEST_OPEN,
    REQUEST_TRANSITIONS,
    ROLL_OVER_TRANSITIONS,
    ROTATION_OPEN,
    ROTATION_TRANSITIONS,
    CaState,
    CertificateState,
    RequestState,
    RollOverState,
    RotationState,
    is_good,
    states_before,
)
from portal.core import clock
from portal.core.errors import InvalidState

TABLES = [
    (CertificateAuthority, CaState, CA_TRANSITIONS, "authority-state-not-valid"),
    (RollOver, RollOverState, ROLL_OVER_TRANSITIONS, "roll-over-state-not-valid"),
    (CertificateRequest, RequestState, REQUEST_TRANSITIONS, "request-state-not-valid"),
    (Certificate, CertificateState, CERTIFICATE_TRANSITIONS, "certificate-state-not-valid"),
    (Rotation, RotationState, ROTATION_TRANSITIONS, "rotation-state-not-valid"),
]


@pytest.mark.parametrize(("model", "states", "table", "code"), TABLES)
def test_move_to_walks_every_pair_of_states(
    model: Any, states: type[TextChoices], table: Mapping[str, frozenset[str]], code: str
) -> None:
    assert set(table) == set(states)
    for before in states:
        for after in states:
            row = model(state=before)
            if after in table[before]:
                assert row.move_to(after) == before
                assert row.state == after
            else:
                with pytest.raises(InvalidState, match="cannot become") as refused:
                    row.move_to(after)
                assert (refused.value.code, row.state) == (code, before)


@pytest.mark.parametrize(
    ("table", "over"),
    [
        (CA_TRANSITIONS, {"ENDED"}),
        (ROLL_OVER_TRANSITIONS, {"DONE", "FAILED"}),
        (REQUEST_TRANSITIONS, {"ISSUED", "REJECTED", "EXPIRED"}),
        (CERTIFICATE_TRANSITIONS, {"ABORTED", "REVOKED", "EXPIRED"}),
        (ROTATION_TRANSITIONS, {"DONE", "FAILED", "CANCELLED"}),
    ],
)
def test_what_is_over_stays_over(table: Mapping[str, frozenset[str]], over: set[str]) -> None:
    assert {state for state, following in table.items() if not following} == over


def test_the_groups_agree_with_the_tables() -> None:
    assert set(states_before(CERTIFICATE_TRANSITIONS, "REVOKED")) == set(ENDABLE)
    assert set(states_before(CERTIFICATE_TRANSITIONS, "EXPIRED")) == set(ENDABLE)
    assert {state for state, following in REQUEST_TRANSITIONS.items() if following} == set(REQUEST_OPEN)
    assert {state for state, following in ROTATION_TRANSITIONS.items() if following} == set(ROTATION_OPEN)
    assert not set(NEVER_ISSUED) & set(ENDABLE)


@pytest.mark.parametrize("state", CertificateState)
def test_good_is_what_is_live_and_has_not_run_out(state: CertificateState) -> None:
    now = clock.now()
    for later, good in ((1, state in LIVE), (0, False), (-1, False)):
        end = now + timedelta(seconds=later)
        assert is_good(state, end, now) is good
        assert Certificate(state=state, not_after=end).is_live(now) is good
