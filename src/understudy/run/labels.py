"""What experts said about what learners saw: a recording that grows from round to round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from understudy.data.builder import EpisodeBuilder
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import ActedBy, End, Episode, Tree
from understudy.data.spec import Obs, Spec
from understudy.envs.env import Moment
from understudy.errors import CheckpointError
from understudy.run.taught import Lesson

if TYPE_CHECKING:
    from understudy.data.formats.native import DemoWriter

LABELS, OWN = "labels.demos", "learner.demos"
"""In a run's folder: what was done, with the expert's labels; and step by step what the learner
would have done. What is "seen" after a step there is the doubt that the ensemble had in it."""

ROUND = "round"


class Labels:
    """All rounds so far, in memory, and in files of a run's folder if there is one.

    A step is in the files before the next one is taken, so nothing that an expert has said is lost:
    a round that was killed is taken up with the labels that it had.

    Attributes:
        spec: What is seen and done.
        episodes: In the order in which they began, by round.
    """

    def __init__(self, spec: Spec, provenance: Provenance) -> None:
        """Args: spec: what is seen and done. provenance: who asks whom, where."""
        self.spec, self.provenance = spec, provenance
        self.episodes: list[list[Episode]] = []
        self._folder: Path | None = None

    def keep_in(self, folder: Path) -> None:
        """Write into this folder from now on, and take in what it has already.

        Raises:
            DemoError: What is there is damaged or of another task.
        """
        from understudy.data.formats.native import DemoWriter, read_demos

        self._folder = folder
        if not (folder / LABELS).exists():
            return
        # Ends what a recorder that was killed left open.
        DemoWriter(folder / LABELS, self.spec, self.provenance, append=True).close()
        for episode in read_demos(folder / LABELS):
            self._add(int(episode.info[ROUND]), episode)

    def of(self, round_: int) -> list[Episode]:
        """The episodes of one round."""
        return self.episodes[round_] if round_ < len(self.episodes) else []

    def count(self, round_: int) -> int:
        """How many labels a round has."""
        return sum(labels_in(episode) for episode in self.of(round_))

    @property
    def total(self) -> int:
        """How many labels there are."""
        return sum(self.count(r) for r in range(len(self.episodes)))

    def until(self, round_: int) -> list[Episode]:
        """All episodes of the rounds up to this one."""
        return [episode for some in self.episodes[: round_ + 1] for episode in some]

    def recorder(self, round_: int, stack: ExitStack) -> Recorder:
        """Takes down the lessons of a round until the stack is closed."""
        files: list[DemoWriter] = []
        if self._folder is not None:
            from understudy.data.formats.native import DemoWriter

            for name, spec in ((LABELS, self.spec), (OWN, own_spec(self.spec))):
                path = self._folder / name
                writer = DemoWriter(path, spec, self.provenance, append=path.exists())
                files.append(stack.enter_context(writer))
        recorder = Recorder(self, round_, files)
        stack.callback(recorder.leave)
        return recorder

    def put(self, round_: int, episodes: Sequence[Episode]) -> None:
        """Add the episodes of a round."""
        for episode in episodes:
            self._add(round_, episode)

    def _add(self, round_: int, episode: Episode) -> None:
        while len(self.episodes) <= round_:
            self.episodes.append([])
        self.episodes[round_].append(episode)

    def state_dict(self) -> dict[str, Any]:
        """How many labels every round had; the labels themselves lie in the run's folder."""
        return {"counts": [self.count(r) for r in range(len(self.episodes))]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See that everything is still there.

        Raises:
            CheckpointError: Labels that the checkpoint has learned from are gone.
        """
        for round_, known in enumerate(state["counts"]):
            found = self.count(round_)
            if found < int(known):
                where = LABELS if self._folder is None else self._folder / LABELS
                raise CheckpointError(
                    f"{where}: round {round_} has {found} labels, the checkpoint has seen {known}: "
                    "put back the file that was there"
                )

    def demos(self) -> Demos:
        """All of it as demonstrations; see `Rows.labeled` for what is to be learned from."""
        return Demos(self.spec, self.until(len(self.episodes)), self.provenance)


def labels_in(episode: Episode) -> int:
    """On how many steps of an episode somebody said what to do."""
    return int((episode.acted_by != ActedBy.UNLABELED).sum())


def own_spec(spec: Spec) -> Spec:
    """What is recorded of a learner beside what was done."""
    return Spec(obs={"doubt": Obs(kind="vector", shape=(1,))}, action=spec.action)


class Recorder:
    """The episodes of a round that are being lived.

    Attributes:
        num_ended: How many have ended by themselves.
    """

    def __init__(self, labels: Labels, round_: int, files: Sequence[DemoWriter]) -> None:
        """Args: labels: takes the episodes. round_: which round. files: where else they go."""
        self.labels, self.round, self.files = labels, round_, files
        self.num_ended = 0
        self._open: dict[int, tuple[EpisodeBuilder, list[Any]]] = {}
        self._done: dict[int, tuple[Lesson, int]] = {}
        self._begun: list[EpisodeBuilder] = []
        self._over: dict[int, Episode] = {}

    def did(self, moment: Moment, lesson: Lesson) -> None:
        """What the slots of a moment did."""
        for row, slot in enumerate(moment.slots.tolist()):
            if slot in self._open:
                self._done[slot] = lesson, row

    def see(self, moment: Moment, seeds: Sequence[int | None]) -> None:
        """What the slots say then.

        Args:
            moment: Of all slots that speak.
            seeds: `[slots]` of the episodes that begin.
        """
        for row, slot in enumerate(moment.slots.tolist()):
            obs = {name: np.array(x[row]) for name, x in moment.obs.items()}
            if moment.fresh[row]:
                self._begin(slot, obs, seeds[slot])
            elif slot in self._open:
                self._step(slot, float(moment.reward[row]), obs)
                if moment.ended[row]:
                    self.num_ended += 1
                    self._end(slot, End.TERMINATED if moment.terminated[row] else End.TRUNCATED)

    def leave(self) -> None:
        """What is unfinished is cut off here, and the round takes in what there is."""
        for slot in list(self._open):
            self._end(slot, End.OPEN)
        kept = [self._over[id(builder)] for builder in self._begun]
        self.labels.put(self.round, [episode for episode in kept if len(episode)])
        self._begun, self._over = [], {}

    def _begin(self, slot: int, obs: Tree, seed: int | None) -> None:
        facts: dict[str, Any] = {"seed": seed, "agent": slot, "info": {ROUND: self.round}}
        builder = EpisodeBuilder(self.labels.spec, obs, **facts)
        seen = (obs, {"doubt": np.zeros(1, np.float32)})
        takes = [file.begin(o, **facts) for file, o in zip(self.files, seen, strict=False)]
        self._open[slot] = builder, takes
        self._begun.append(builder)

    def _step(self, slot: int, reward: float, obs: Tree) -> None:
        builder, takes = self._open[slot]
        lesson, row = self._done[slot]
        done, meant = lesson.executed.at(row), lesson.label.at(row)
        same = all(np.array_equal(a, b) for a, b in zip(done, meant, strict=True))
        who = ActedBy(int(lesson.acted_by[row]))
        said: dict[str, Any] = {"proposed": None if same else meant, "acted_by": who}
        builder.step(done, reward, obs, **said)
        if takes:
            label, own = takes
            label.step(done, reward, obs, **said)
            doubt = {"doubt": lesson.doubt[row : row + 1].astype(np.float32)}
            own.step(lesson.own.at(row), reward, doubt, acted_by=who)

    def _end(self, slot: int, end: End) -> None:
        builder, takes = self._open.pop(slot)
        self._done.pop(slot, None)
        self._over[id(builder)] = builder.end(end)
        for take in takes:
            # An episode in which nothing was done is no episode, and files do not keep it.
            if len(builder):
                take.end(end)
            else:
                take.discard()
