"""Steps as signals look at them: what was seen, what was done, what was seen then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.data.batch import Batch
from understudy.data.demos import Demos, Rows
from understudy.data.episode import Tree
from understudy.data.spec import Spec
from understudy.errors import DemoError
from understudy.nets.flat import F32
from understudy.nets.row_vectors import RowVectors
from understudy.ops.product import Product

ROOM = 2**24
"""So many numbers at most are looked at at once: rows of images are long."""


class Steps(NamedTuple):
    """Steps that were lived or shown.

    Attributes:
        obs: Named arrays `[..., ...]`.
        code: `[..., width]` what was done, as networks see it.
        after: Named arrays `[..., ...]`, what was seen then.
        over: `[...]` float32, 1 where the task was over then.
    """

    obs: Tree
    code: NDArray[np.float32]
    after: Tree
    over: NDArray[np.float32]

    @property
    def rows(self) -> int:
        """How many there are along the first axis."""
        return len(self.code)

    def at(self, index: Any) -> Steps:
        """Some of them."""
        obs, after = ({n: x[index] for n, x in tree.items()} for tree in (self.obs, self.after))
        return Steps(obs, self.code[index], after, self.over[index])

    def parts(self, width: int) -> Iterator[Steps]:
        """All of them in order, few enough at a time.

        Args:
            width: Numbers of a row, as a network is given it.
        """
        each = max(1, ROOM // (width * max(1, self.code[0].size // self.code.shape[-1])))
        return (self.at(slice(a, a + each)) for a in range(0, self.rows, each))


def lived(batch: Batch) -> Steps:
    """All rows of a batch of which is known what was done, `[L, B, ...]`.

    Raises:
        ValueError: Its source does not say what came next.
    """
    rows = len(batch.code)
    if len(batch.acted) <= rows:
        raise ValueError("the batch does not say what followed its last row: it needs a look ahead")
    obs, after = ({n: x[a : a + rows] for n, x in batch.obs.items()} for a in (0, 1))
    return Steps(obs, batch.code, after, batch.terminated.astype(F32))


def own(batch: Batch) -> NDArray[np.bool_]:
    """`[L, B]` the rows on which the policy itself did something: no demonstration, no padding."""
    done = batch.acted[: len(batch.code)] > 0
    return done if batch.shown is None else done & (batch.shown == 0)


def whole_steps(demos: Demos, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The rows on which a demonstrator did something of which is known what came.

    Args:
        demos: What was shown.
        rows: `demos.rows()`.

    Returns:
        index: `[M]` their numbers.
        over: `[M]` 1 where the task was over then; only there may be unknown what was seen.

    Raises:
        DemoError: There is none.
    """
    index = np.flatnonzero(rows.labeled.acted)
    of, last = rows.episode[index], ~rows.acted[index + 1]
    over = last & np.array([episode.terminated for episode in demos], bool)[of]
    known = np.array([episode.final_obs_known for episode in demos], bool)[of]
    good = ~last | known | over
    if not good.any():
        raise DemoError(
            "no step in any episode of which is known what came of it: there is nothing to be like"
        )
    return index[good], over[good].astype(F32)


def shown(demos: Demos, dist: Product) -> Steps:
    """All of these steps, `[M, ...]`.

    Args:
        demos: What was shown.
        dist: The policy's distribution: the codes of its actions.

    Raises:
        DemoError: There is none.
    """
    rows = demos.rows()
    index, over = whole_steps(demos, rows)
    return steps_at(rows, dist, index, over)


def compared(
    demos: Demos,
    spec: Spec,
    dist: Product,
    most: int,
    rng: np.random.Generator,
    *,
    done: bool,
) -> tuple[RowVectors, NDArray[np.float32]]:
    """What shown steps look like as rows of numbers, to measure how far others are from them.

    Args:
        demos: What was shown.
        spec: What the policy sees and does.
        dist: Its distribution: the codes of its actions.
        most: So many steps at most, drawn at random.
        rng: Draws them, where more were shown.
        done: Whether what was done counts, beside what was seen.

    Returns:
        What makes rows of steps, measured by all that was shown; and `[M, D]` the rows.

    Raises:
        ConfigError: Something is seen that is no vector.
        DemoError: The demonstrations do not fit, or hold no step.
    """
    demos.check_fit(spec)
    see, steps = RowVectors(spec, dist, done=done), shown(demos, dist)
    see.observe(steps.obs)
    if steps.rows > most:
        steps = steps.at(np.sort(rng.permutation(steps.rows)[:most]))
    return see, see(steps.obs, steps.code)


def steps_at(
    rows: Rows, dist: Product, index: NDArray[np.int64], over: NDArray[np.float32]
) -> Steps:
    """Rows of demonstrations as steps; `index` and `over` `[...]` as `whole_steps` says them."""
    obs, after = ({n: x[at] for n, x in rows.obs.items()} for at in (index, index + 1))
    return Steps(obs, dist.encode(rows.action.at(index)), after, over)
