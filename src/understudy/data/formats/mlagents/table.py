"""The records of an ML-Agents recording as arrays, and the episodes cut from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.episode import End, Episode, Tree, check_episode
from understudy.data.formats.mlagents.columns import Column, make_columns
from understudy.data.formats.mlagents.file import Recording
from understudy.data.formats.mlagents.messages import Record
from understudy.data.formats.refusal import MOST_EPISODES, budget, label, refusal, too_many_episodes
from understudy.data.formats.wire import WireError
from understudy.data.spec import ActionSpec, Obs, Spec

MASK = "action_mask"
LARGEST_REWARD = float(np.finfo(np.float32).max)


@dataclass(slots=True)
class _Scalars:
    """What every record has one of, `[R]`."""

    offset: NDArray[np.int64]
    reward: NDArray[np.float32]
    done: NDArray[np.bool_]
    interrupted: NDArray[np.bool_]
    known: NDArray[np.bool_]
    id: NDArray[np.int64]
    group: NDArray[np.int64]


class Table:
    """The records as arrays over `[R]`.

    Attributes:
        new_fields: Whether actions stand in the fields of 2021 and later.
    """

    def __init__(self, recording: Recording, first: Record) -> None:
        self.recording, self.brain = recording, recording.brain
        self.count, self.room = recording.count, budget(recording.size)
        self.new_fields = False
        self.action_spec = ActionSpec(
            continuous=self.brain.continuous, branches=self.brain.branches
        )
        each = 4 * self.brain.continuous + 8 * len(self.brain.branches) + 64
        self.room -= each * self.count
        self.columns: list[Column] = make_columns(first, self.count, self.room)
        self.action = Action.zeros(self.action_spec, self.count)
        self.mask: NDArray[np.bool_] | None = None
        self.odd_masks = 0
        kinds = (np.int64, np.float32, bool, bool, bool, np.int64, np.int64)
        self.of = _Scalars(*(np.zeros(self.count, kind) for kind in kinds))

    @classmethod
    def of_recording(cls, recording: Recording) -> Table:
        """All records of a file.

        Raises:
            DemoError: One of them is damaged, or not like the first.
        """
        table: Table | None = None
        for row, (start, record) in enumerate(recording.records()):
            try:
                table = table or cls(recording, record)
                table.put(row, start, record)
            except WireError as error:
                raise recording.refusal(start, error) from None
        assert table is not None, "a recording has at least one record"
        return table

    def put(self, row: int, offset: int, record: Record) -> None:
        """Keep `record` as this row.

        Raises:
            WireError: It is not like the first one, or an action is none of this behavior's.
        """
        if len(record.seen) != len(self.columns):
            raise WireError(
                0, f"{len(record.seen)} observations", f"{len(self.columns)} as in the first record"
            )
        for column, seen in zip(self.columns, record.seen, strict=True):
            column.put(row, record, seen)
        of = self.of
        of.offset[row], of.id[row], of.group[row] = offset, record.id, record.group
        of.done[row], of.interrupted[row] = record.done, record.interrupted
        reward = record.reward + record.group_reward
        if not abs(reward) <= LARGEST_REWARD:
            raise WireError(0, f"reward {reward}", "a finite number of 32 bits")
        of.reward[row] = reward
        self._put_action(row, record)
        if record.mask:
            self._put_mask(row, record)

    def _put_action(self, row: int, record: Record) -> None:
        width, branches = self.brain.continuous, self.brain.branches
        continuous, discrete = record.continuous, record.discrete
        if continuous or discrete:
            self.new_fields = True
        elif record.vector:
            continuous = record.vector[:width] if width else []
            discrete = _choices(record.vector[width:])
        else:
            return  # such as the first record of a recording; refused where it is needed
        if len(continuous) != width or len(discrete) != len(branches):
            raise WireError(
                0,
                f"an action of {len(continuous)} numbers and {len(discrete)} choices",
                f"{width} and {len(branches)}",
            )
        if not np.isfinite(continuous).all():
            raise WireError(0, "an action that is not finite", "finite numbers")
        for k, (choice, size) in enumerate(zip(discrete, branches, strict=True)):
            if not 0 <= choice < size:
                raise WireError(0, f"choice {choice} of branch {k}", f"0 to {size - 1}")
        self.of.known[row] = True
        self.action.continuous[row], self.action.discrete[row] = continuous, discrete

    def _put_mask(self, row: int, record: Record) -> None:
        choices = self.action_spec.num_choices
        if len(record.mask) != choices:
            self.odd_masks += 1  # ML-Agents takes no notice of these either
            return
        if self.mask is None:
            if choices * self.count > self.room:
                raise WireError(0, f"masks of {choices * self.count} bytes", f"at most {self.room}")
            self.mask = np.ones((self.count, choices), bool)
        # On the wire true forbids.
        self.mask[row] = np.array(record.mask) == 0

    def spec(self) -> Spec:
        """What is seen and done."""
        obs = {column.name: column.obs for column in self.columns}
        if self.mask is not None:
            obs[MASK] = Obs(kind="mask", shape=(self.action_spec.num_choices,), dtype="bool")
        return Spec(obs=obs, action=self.action_spec)

    def episodes(self, alignment: str, spec: Spec) -> tuple[list[Episode], list[str]]:
        """The episodes, and what the reader should know of them.

        Raises:
            DemoError: An action is missing, or a mask forbids everything.
        """
        obs: Tree = {}
        for column in self.columns:
            obs |= column.tree
        episodes: list[Episode] = []
        empty = overruled = 0
        lives = self._lives()
        if len(lives) > MOST_EPISODES:
            raise too_many_episodes(self.recording.path, len(lives))
        for start, last in lives:
            # T + 1 records of one life: T actions between them, T rewards on arriving.
            shift = 1 if alignment == "next_record" else 0
            acts = slice(start + shift, last + shift)
            if start == last:
                empty += 1
                continue
            self._check_known(acts)
            tree = {name: array[start : last + 1] for name, array in obs.items()}
            if self.mask is not None:
                tree[MASK], odd = self._allowed(start, last, acts)
                overruled += odd
            episode = self._episode(start, last, tree, self.action.at(acts), len(episodes))
            episodes.append(check_episode(episode, spec, episode.label))
        return episodes, self._notes(episodes, empty, overruled)

    def _lives(self) -> list[tuple[int, int]]:
        """First and last record of every agent's life: cut at done, and where the id changes.

        The id of an episode changes without done where the recording was paused meanwhile.
        """
        of = self.of
        ends = of.done.copy()
        paused = (of.id[1:] != of.id[:-1]) & (of.id[1:] != 0) & (of.id[:-1] != 0) & ~of.done[1:]
        ends[:-1] |= paused
        ends[-1] = True
        lasts = np.flatnonzero(ends).tolist()
        return list(zip([0, *(last + 1 for last in lasts[:-1])], lasts, strict=True))

    def _check_known(self, acts: slice) -> None:
        missing = np.flatnonzero(~self.of.known[acts])
        if len(missing):
            raise refusal(
                self.recording.path,
                int(self.of.offset[acts][missing[0]]),
                "a record without an action",
                f"{self.brain.continuous} numbers and {len(self.brain.branches)} choices",
            )

    def _allowed(self, start: int, last: int, acts: slice) -> tuple[NDArray[np.bool_], int]:
        """What the mask of every step allows, and how many steps took what it forbids.

        A choice that was taken is allowed: scripts and people are not held by masks in Unity, and
        a likelihood of zero would be of no use to anybody.
        """
        assert self.mask is not None, "asked only of recordings with masks"
        allowed, taken = self.mask[start : last + 1].copy(), self.action.discrete[acts]
        odd, steps, first = np.zeros(len(taken), bool), np.arange(len(taken)), 0
        for k, size in enumerate(self.brain.branches):
            nothing = np.flatnonzero(~allowed[:-1, first : first + size].any(axis=1))
            if len(nothing):
                raise refusal(
                    self.recording.path,
                    int(self.of.offset[start + nothing[0]]),
                    f"a mask that forbids every choice of branch {k}",
                    "at least one that is allowed",
                )
            odd |= ~allowed[steps, first + taken[:, k]]
            allowed[steps, first + taken[:, k]] = True
            first += size
        return allowed, int(odd.sum())

    def _episode(self, start: int, last: int, obs: Tree, action: Action, index: int) -> Episode:
        of, name = self.of, self.brain.name
        end = End.OPEN
        if of.done[last]:
            end = End.TRUNCATED if of.interrupted[last] else End.TERMINATED
        return Episode(
            obs=obs,
            action=action,
            reward=of.reward[start + 1 : last + 1],
            end=end,
            acted_by=np.zeros(last - start, np.uint8),
            group=int(of.group[start]),
            team=team_of(name),
            label=label(self.recording.path, index),
            info={
                "behavior": name,
                "id": int(of.id[start]),
                # Received before the first observation: nothing that is shown here earned it.
                "reward_before": float(of.reward[start]),
            },
        )

    def _notes(self, episodes: list[Episode], empty: int, overruled: int) -> list[str]:
        notes: list[str] = []
        if empty:
            notes.append(f"{empty} episodes without a single step were left out")
        if self.odd_masks:
            notes.append(f"{self.odd_masks} action masks of the wrong length were left out")
        if overruled:
            notes.append(
                f"{overruled} steps took a choice that their own mask forbids; it counts as allowed"
            )
        declared = self.recording.metadata.num_episodes
        found = len(episodes) + empty
        if not self.recording.unclosed and declared not in (found, found + int(self.of.done[-1])):
            notes.append(f"the metadata declares {declared} episodes, the records hold {found}")
        return notes


def _choices(values: list[float]) -> list[int]:
    # The old fields hold choices as floats.
    for value in values:
        if not (abs(value) < 1 << 24 and value == int(value)):
            raise WireError(0, f"choice {value}", "a whole number")
    return [int(value) for value in values]


def team_of(behavior: str) -> int:
    """The side of `Name?team=1`, 0 where there is none."""
    _, _, team = behavior.partition("?team=")
    return int(team) if team.isascii() and team.isdigit() and len(team) < 6 else 0
