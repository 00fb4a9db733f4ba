"""Windows from the middle of an episode: rows at the front that only warm the memory."""

from __future__ import annotations

from dataclasses import replace

from understudy.data.batch import Batch
from understudy.nets.critic import Critics
from understudy.nets.model import Model


def burned_in(batch: Batch, model: Model, critics: Critics) -> Batch:
    """The batch from the row on that is learned from, with what is remembered there.

    The memory that a window begins with is old: weights have changed since it was recorded. Going
    over some rows before anything is learned makes it younger (Kapturowski et al., 2019, "Recurrent
    Experience Replay in Distributed Reinforcement Learning", section 3). No gradient flows through
    these rows.

    Note:
        Acting asks no critic, so of critics no memory is recorded. Theirs is empty at a window's
        first row, and these rows alone fill it.
    """
    if not batch.burn_in:
        return batch
    # What is remembered before a row is what the rows before it left.
    upto = batch.rows(0, batch.burn_in + 1)
    _, _, before = model.look(upto.obs, upto.state, upto.fresh)
    memory = {name: x[-1] for name, x in before.items()} | critics.look(
        batch.rows(0, batch.burn_in)
    )
    return replace(batch.rows(batch.burn_in), state=memory, burn_in=0)
