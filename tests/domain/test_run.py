"""The life of a run: every walk along the table ends, and no other is possible."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibeboard.domain.board import CardKey
from vibeboard.domain.run import ACTIVE, ENDED, NEXT, Run, RunState, run_id
from vibeboard.errors import IllegalTransition

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
QUEUED = Run("r1", CardKey("acme/clock", 7), "develop", "d1", "alice",
             RunState.QUEUED, AT, AT)  # fmt: skip


@given(st.data())
def test_every_walk_ends_and_stays_ended(data: st.DataObject) -> None:
    run, walked = QUEUED, [RunState.QUEUED]
    while following := NEXT[run.state]:
        state = data.draw(st.sampled_from(sorted(following, key=lambda s: s.value)))
        at = run.changed_at + timedelta(seconds=1)
        run = run.to(state, at=at)
        walked.append(state)
        assert run.changed_at == at
        assert run.ended == (state in ENDED)

    assert run.state in ENDED
    assert len(walked) == len(set(walked)), "no state comes twice"
    assert all(after in NEXT[before] for before, after in pairwise(walked))


@pytest.mark.parametrize("before", RunState)
@pytest.mark.parametrize("after", RunState)
def test_what_is_not_on_the_table_is_refused(before: RunState, after: RunState) -> None:
    run = replace(QUEUED, state=before)

    if after in NEXT[before]:
        assert run.to(after, at=AT).state is after
        return
    with pytest.raises(IllegalTransition, match=f"{before.value} -> {after.value}"):
        run.to(after, at=AT)


def test_every_state_waits_works_or_is_over() -> None:
    assert {RunState.QUEUED} | ACTIVE | ENDED == set(RunState)
    assert not ACTIVE & ENDED


@given(st.text(max_size=20), st.text(max_size=20), st.integers(1, 10**9))
def test_one_cause_makes_one_run(stage: str, cause: str, number: int) -> None:
    card = CardKey("acme/clock", number)
    identity = run_id(card, stage, cause)

    assert identity == run_id(card, stage, cause)
    assert identity != run_id(card, stage, cause + "x")
    assert identity != run_id(card, stage + "x", cause)
    assert len(identity) == 12
