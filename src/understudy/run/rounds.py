"""Rounds: act, ask the expert, learn from all that it has said, and act again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from understudy.data.actor import Actor
from understudy.data.batch import Batch
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.envs.env import Env
from understudy.errors import UnderstudyError
from understudy.learners.learner import Metrics
from understudy.nets.acting import ModelActor
from understudy.run.evaluate import play
from understudy.run.gates import make_gate
from understudy.run.labels import Labels, Recorder
from understudy.run.loop import Progress
from understudy.run.pupils import Pupils
from understudy.run.rollouts import only_behavior
from understudy.run.taught import Taught
from understudy.run.watch import Note

if TYPE_CHECKING:
    from understudy.run.dagger import DAggerConfig

TRIAL_SEED = 2_000_003
"""Far from the seeds of evaluations, so that no start of theirs is seen here."""


class Rounds:
    """Asks for labels when a round begins, and serves all of them until it ends. See `Source`.

    Where a round begins the environment is reset, and all that is left to chance in it comes from
    the seed and the round's number. So nothing of it flows into the next but labels (and weights).
    """

    def __init__(
        self,
        env: Env,
        expert: Actor,
        config: DAggerConfig,
        labels: Labels,
        pupils: Pupils,
        progress: Progress,
        note: Note,
        shown: bool,
    ) -> None:
        """Put the parts together.

        Args:
            env: Where to act; it has one behavior.
            expert: Who is asked.
            config: How much, and when.
            labels: What was said.
            pupils: Who learns from it.
            progress: Of the run; while it is asked to stop nobody is asked for more.
            note: Takes lines for the log.
            shown: Whether demonstrations are the first round.
        """
        self.env, self.expert, self.config = env, expert, config
        self.labels, self.pupils, self.progress, self.note = labels, pupils, progress, note
        self.shown, self.behavior = shown, only_behavior(env)

    @property
    def next(self) -> int:
        """The round that is to be learned: the present one, or the one after if that is over."""
        return self.pupils.round + self.pupils.over

    def batches(self) -> Iterator[Batch]:
        """A turn's batches; none if it was told to stop before the round was full."""
        if self.pupils.over:
            if not self.fill(self.next):
                return
            self._begin(self.next)
        yield from self.pupils.batches()

    def fill(self, round_: int) -> bool:
        """Act and ask until a round is full, or somebody says stop.

        Returns:
            Whether it is full.
        """
        if self.is_full(round_):
            return True
        c, begun = self.config, len(self.labels.of(round_))
        # A round that was interrupted goes on elsewhere than where it began.
        seeds = np.random.SeedSequence(c.seed, spawn_key=(round_, begun)).spawn(3)
        chance, of_gate = (np.random.default_rng(s) for s in seeds[:2])
        with self.pupils.averaged() as models, ExitStack() as stack:
            taught = Taught(
                models,
                self.expert,
                make_gate(c.gate, of_gate),
                self.env.slots[self.behavior],
                beta=c.expert_share(round_),
                labels=c.labels - self.labels.count(round_),
                rng=chance,
                sampled=c.sampled,
            )
            recorder = self.labels.recorder(round_, stack)
            self._act(taught, recorder, int(seeds[2].generate_state(1)[0] >> 1))
        self._tell(round_, taught)
        return self.is_full(round_)

    def is_full(self, round_: int) -> bool:
        """Whether a round has all the labels, episodes or steps that it is to have."""
        if round_ == 0 and self.shown:
            return True
        c, lived = self.config, self.labels.of(round_)
        ended = sum(e.end in (End.TERMINATED, End.TRUNCATED) for e in lived)
        return (
            self.labels.count(round_) >= c.labels
            or sum(map(len, lived)) >= c.most_steps
            or (c.episodes is not None and ended >= c.episodes)
        )

    def _act(self, taught: Taught, recorder: Recorder, seed: int) -> None:
        c, name = self.config, self.behavior
        lived = self.labels.of(recorder.round)
        most_steps = c.most_steps - sum(map(len, lived))
        ended = sum(e.end in (End.TERMINATED, End.TRUNCATED) for e in lived)
        moments = self.env.reset(seed)
        if name in moments:
            recorder.see(moments[name], self.env.seeds(name))
        while taught.left > 0 and taught.num_steps < most_steps and self.progress.stop is None:
            if c.episodes is not None and ended + recorder.num_ended >= c.episodes:
                return
            actions = {}
            if name in moments:
                lesson = taught.step(moments[name])
                recorder.did(moments[name], lesson)
                actions[name] = lesson.executed
            moments = self.env.step(actions)
            if name in moments:
                recorder.see(moments[name], self.env.seeds(name))

    def _begin(self, round_: int) -> None:
        """Let the pupils begin a round whose labels are there.

        Raises:
            UnderstudyError: Nobody has said anything yet.
        """
        rows = Demos(self.labels.spec, self.labels.until(round_)).rows()
        if not rows.labeled.acted.any():
            raise UnderstudyError(
                f"round {round_} is over and the expert has not said anything yet, so there is "
                "nothing to learn from: begin with demonstrations (demos=), or raise most_steps"
            )
        first = next(r for r in range(round_ + 1) if self.labels.count(r))
        known = Demos(self.labels.spec, self.labels.until(first)).rows()
        self.pupils.begin(round_, known, rows)

    def _tell(self, round_: int, taught: Taught) -> None:
        steps = max(1, taught.num_steps)
        self.note(
            {
                "step": self.progress.steps,
                "round": round_,
                "labels": self.labels.total,
                "round/labels": self.labels.count(round_),
                "round/asked": taught.num_labels / steps,
                "round/overruled": taught.num_overruled / steps,
            }
        )

    def state_dict(self) -> dict[str, Any]:
        """See `Source`; the labels are a part of their own."""
        return self.pupils.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Source`; the labels must be there."""
        if int(state["round"]) >= 0:
            self._begin(int(state["round"]))
        self.pupils.load_state_dict(state)


class Trials:
    """Plays some episodes after every round and notes what they brought. See `Watcher`."""

    def __init__(self, env: Env, rounds: Rounds, episodes: int, note: Note) -> None:
        """Args: env: where. rounds: who is tried. episodes: how many. note: takes the lines."""
        self.env, self.rounds, self.episodes, self.note = env, rounds, episodes, note

    def see(self, progress: Progress, metrics: Mapping[str, Metrics]) -> None:
        """See `Watcher`. The environment may be reset: the next round begins with that."""
        pupils = self.rounds.pupils
        if not (self.episodes and metrics and pupils.over):
            return
        with pupils.averaged() as models:
            found = play(self.env, ModelActor(models[0]), self.episodes, TRIAL_SEED)
        self.note(
            {
                "step": progress.steps,
                "round": pupils.round,
                "labels": self.rounds.labels.total,
                "trial/return": found.iqm,
                "trial/length": float(found.lengths.mean()),
            }
        )
