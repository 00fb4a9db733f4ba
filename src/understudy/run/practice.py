"""Experience that is remembered and learned from many times: off-policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le

from understudy.data.batch import Batch
from understudy.envs.actors import RandomActor
from understudy.envs.env import Env
from understudy.nets.acting import ModelActor
from understudy.nets.model import Model
from understudy.run.blocks import Blocks
from understudy.run.mixed import Mixed
from understudy.run.replay import Replay, Windows
from understudy.run.rollouts import Cast, Tally, only_behavior


@dataclass(frozen=True, kw_only=True, slots=True)
class PracticeConfig:
    """How much is remembered, and how often it is learned from."""

    capacity: Annotated[int, Gt(1)] = 1_000_000
    """Rows that are remembered, over all slots."""
    folder: str | None = None
    """Folder for these rows where they are too many for memory (84x84 pixels: 7 KB a row); none by
    default. Files of rows in it are overwritten."""
    batch_size: Annotated[int, Gt(0)] = 256
    """Rows to learn from in a batch."""
    length: Annotated[int, Gt(0)] = 16
    """Rows that a memory is trained through; 1 is used without memory."""
    burn_in: Annotated[int, Ge(0)] = 16
    """Rows before them that only warm the memory; 0 is used without memory."""
    n_step: Annotated[int, Ge(1)] = 1
    """Rewards that a target adds up before it asks what the rest is worth. More carry what pays
    late back sooner; with 3 an update takes a quarter longer."""
    warmup_steps: Annotated[int, Ge(1)] = 1000
    """Actions that are taken by chance before anything is learned."""
    updates_per_step: Annotated[float, Gt(0)] = 1.0
    """Batches per action taken."""
    turn_steps: Annotated[int, Gt(0)] = 1
    """Actions between two turns of learning."""
    demo_ratio: Annotated[float, Ge(0), Le(1)] = 0.5
    """Share of demonstrations in every batch, where there are any."""
    keep_replay: bool = True
    """Whether checkpoints hold what is remembered. Without it they are small, but a resumed run is
    another than one that was never stopped: it begins with `warmup_steps` by its policy."""


class Practice:
    """Lets a model act, remembers it all, and hands over what it draws. See `Source`.

    The model's normalizer is left as it is, since values learned under one unit would be wrong
    under another; it had better know the world already (from demonstrations), or not be there
    (`NetConfig(normalize=False)`).

    Note:
        Fixed on the warm-up it hides what chance never reaches: of CartPole's track of 2.4 it cut
        off all beyond 0.8, and two runs of 10,000 updates ended at 136 and 227 of 500.

    Attributes:
        replay: What is remembered.
        num_steps: Actions taken so far.
        returns: Sum of rewards of the episodes that ended in the last turn.
        note: What the reader should know about how it was resumed; None if there is nothing.
    """

    def __init__(
        self,
        env: Env,
        model: Model,
        config: PracticeConfig,
        rng: np.random.Generator,
        seed: int,
        shown: Windows | None = None,
    ) -> None:
        """Reset the environment.

        Args:
            env: Has one behavior.
            model: Who acts, drawing its actions.
            config: See `PracticeConfig`.
            rng: Draws actions and batches.
            seed: Of the environment and of the warm-up.
            shown: Demonstrations to mix in; see `understudy.run.replay.replay_of`.

        Raises:
            ValueError: Less is remembered than a batch takes at once.
        """
        self.env, self.model, self.config, self.rng = env, model, config, rng
        self.behavior = only_behavior(env)
        spec, slots = env.behaviors[self.behavior], env.slots[self.behavior]
        length, burn_in = (config.length, config.burn_in) if model.memory else (1, 0)
        self._window = length, burn_in, config.n_step
        rows = config.capacity // slots
        if rows <= sum(self._window):
            raise ValueError(
                f"capacity={config.capacity} is {rows} rows for each of {slots} slots, but a batch "
                f"takes {sum(self._window)} at once (burn_in, length and n_step); remember more"
            )
        self.replay = Replay(
            spec,
            rows,
            slots,
            model.memory,
            folder=None if config.folder is None else Path(config.folder),
        )
        self.source: Windows = (
            self.replay if shown is None else Mixed(self.replay, shown, config.demo_ratio)
        )
        self.num_steps = 0
        self.returns: list[float] = []
        self.note: str | None = None
        self._due, self._learns_from = 0.0, config.warmup_steps
        self._cast = Cast(env, {self.behavior: RandomActor(spec, seed)})
        self._tally = Tally(slots)
        self._moments = env.reset(seed)
        self._see()

    def collect(self) -> int:
        """Act for a turn; the first one is the whole warm-up, by chance.

        Returns:
            How many actions were taken; 0 while batches of an interrupted turn are still due.
        """
        self.returns = []  # Those of an interrupted turn have been told already.
        if self._due >= 1:
            return 0
        c, before = self.config, self.num_steps
        while self.num_steps < max(before + c.turn_steps, self._learns_from):
            self._step()
        while before < self._learns_from and not self.replay.ready(*self._window):
            self._step()
        if before >= self._learns_from:
            self._due += (self.num_steps - before) * c.updates_per_step
        if before < c.warmup_steps:
            self._cast = self._knowing()
        return self.num_steps - before

    def _step(self) -> None:
        moment = self._moments.get(self.behavior)
        before = {} if moment is None else self._cast.memory(self.behavior, moment.slots)
        actions = self._cast.act(self._moments)
        if moment is not None:
            self.replay.do(moment.slots, actions[self.behavior], before)
            self.num_steps += len(moment.slots) - int(moment.ended.sum())
        self._moments = self.env.step(actions)
        self._see()

    def _see(self) -> None:
        if self.behavior not in self._moments:
            return
        moment = self._moments[self.behavior]
        self.replay.see(moment)
        self.returns += self._tally.hear(moment)

    def batches(self) -> Iterator[Batch]:
        """As many as are due."""
        c = self.config
        while self._due >= 1:
            self._due -= 1
            count = max(1, c.batch_size // self._window[0])
            yield self.source.sample(self.model, self.rng, count, *self._window)

    def state_dict(self) -> dict[str, Any]:
        """See `Source`; of the environment what it needs to get there again."""
        return {
            "env": self.env.state_dict(),
            "replay": self.replay.state_dict() if self.config.keep_replay else None,
            "cast": self._cast.state_dict(),
            "rng": self.rng.bit_generator.state,
            "tally": self._tally.state_dict(),
            "returns": list(self.returns),
            "num_steps": self.num_steps,
            "due": self._due,
            "learns_from": self._learns_from,
        }

    def keep_in(self, folder: Path, checkpoints: Path) -> None:
        """From now on checkpoints name rows that are written once, instead of holding them all.

        Args:
            folder: For the rows.
            checkpoints: Where the checkpoints are; rows that none of them names are removed.
        """
        self.replay.keep_in(Blocks(folder, checkpoints))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Source`.

        Raises:
            EnvError: The environment does not come to the same place.
        """
        self.env.load_state_dict(state["env"])
        self._moments = self.env.moments
        self.num_steps, self._due = int(state["num_steps"]), float(state["due"])
        self._learns_from = int(state["learns_from"])
        if state["replay"] is None:
            self._begin_anew()
        else:
            self.replay.load_state_dict(state["replay"])
        if self.num_steps >= self.config.warmup_steps:
            self._cast = self._knowing()
        self._cast.load_state_dict(state["cast"])
        self.rng.bit_generator.state = state["rng"]
        self._tally.load_state_dict(state["tally"])
        self.returns = [float(x) for x in state["returns"]]

    def _begin_anew(self) -> None:
        """Remember nothing but what is seen now, and learn once there is enough again."""
        self._due, self._learns_from = 0.0, self.num_steps + self.config.warmup_steps
        self.replay.forget()
        if self.behavior in self._moments:
            self.replay.see(self._moments[self.behavior])
        self.note = (
            "what was remembered is not in the checkpoint (practice.keep_replay=false): this run "
            f"goes on with the same weights, acts for {self.config.warmup_steps} steps before it "
            "learns again, and is not the run that it would have been without the stop"
        )

    def _knowing(self) -> Cast:
        """Who acts once the warm-up is over."""
        return Cast(self.env, {self.behavior: ModelActor(self.model, self.rng)})
