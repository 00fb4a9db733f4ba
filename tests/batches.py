"""Batches that tests share: episodes as a learner is given them."""

from __future__ import annotations

from typing import Any

import numpy as np

from understudy.data.batch import Batch
from understudy.data.demos import Demos
from understudy.data.episode import Tree
from understudy.ops.product import Product


def in_order(demos: Demos, dist: Product, state: Tree | None = None, **facts: Any) -> Batch:
    """All episodes one after the other in one slot, `[R - 1, 1]` and the last row to look at."""
    rows = demos.rows()
    past = slice(0, len(rows) - 1)
    terminated = np.zeros(len(rows), bool)
    ends = np.flatnonzero(~rows.acted)
    terminated[ends - 1] = [episode.terminated for episode in demos]
    return Batch(
        obs={name: x[:, None] for name, x in rows.obs.items()},
        code=dist.encode(rows.action.at(past))[:, None],
        acted=rows.acted.astype(np.float32)[:, None],
        fresh=rows.fresh[:, None],
        state=state or {},
        reward=rows.reward[past, None],
        terminated=terminated[past, None],
        shown=np.zeros(1, np.float32),
        **facts,
    )


def part(batch: Batch, start: int, stop: int) -> Batch:
    """Rows `start` to `stop` of a batch, and the one behind them to look at."""
    cut, seen = batch.rows(start, stop), batch.rows(start, stop + 1)
    cut.obs, cut.acted, cut.fresh = seen.obs, seen.acted, seen.fresh
    return cut
