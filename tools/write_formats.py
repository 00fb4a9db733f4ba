"""Writes the tables of `docs/formats.md`: what every format keeps, found by writing and reading.

Usage: `python tools/write_formats.py` after a format was added or changed.

Demonstrations of every kind are written in every format, read again by the one door, and compared.
What changed must be what the writer said that it left out: `unsaid` is what is lost in silence.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import ActedBy, End, Episode, empty_obs
from understudy.data.formats.door import load_demos
from understudy.data.formats.writers import WRITERS
from understudy.data.spaces import codecs_of, spec_of
from understudy.data.spec import ActionSpec, Obs, Spec, present
from understudy.errors import DemoError

PAGE = Path(__file__).parent.parent / "docs" / "formats.md"
BEGIN, END = "<!-- written by tools/write_formats.py -->\n", "<!-- until here -->\n"
LENGTHS = (5, 3, 1)
ENDS = (End.TERMINATED, End.TRUNCATED, End.TERMINATED)
_NUMBERS = spaces.Box(-1, 1, (2,))
SPACES: dict[str, tuple[spaces.Space[Any], spaces.Space[Any]]] = {
    "vector": (spaces.Box(-1, 1, (3,)), _NUMBERS),
    "float64": (spaces.Box(-1, 1, (3,), np.float64), spaces.Box(-1, 1, (2,), np.float64)),
    "image": (spaces.Box(0, 255, (16, 20, 3), np.uint8), _NUMBERS),
    "Dict": (
        spaces.Dict(
            arm=spaces.Dict(joints=spaces.Box(-2, 2, (4,)), gripper=spaces.Box(0, 1, (1,))),
            view=spaces.Box(0, 255, (16, 20, 3), np.uint8),
        ),
        _NUMBERS,
    ),
    "single numbers": (spaces.Dict(height=spaces.Box(0, 1, ()), speed=_NUMBERS), _NUMBERS),
    "Tuple": (
        spaces.Tuple([spaces.Box(-1, 1, (2,)), spaces.Discrete(3), spaces.MultiBinary(4)]),
        spaces.Tuple([spaces.Discrete(2, start=5), spaces.Box(-1, 1, (1,))]),
    ),
    "Discrete": (spaces.Box(-1, 1, (3,)), spaces.Discrete(4)),
    "MultiDiscrete": (spaces.Box(-1, 1, (3,)), spaces.MultiDiscrete([3, 2, 4])),
    "hybrid": (
        spaces.Box(-1, 1, (3,)),
        spaces.Dict(move=_NUMBERS, press=spaces.MultiDiscrete([2, 3])),
    ),
}
SPECS = {
    "entities": Spec(
        obs={
            "self": Obs(kind="vector", shape=(2,)),
            "others": Obs(kind="entities", shape=(4, 3)),
        },
        action=ActionSpec(continuous=2, low=(-1, -1), high=(1, 1)),
    ),
    "masked, a goal": Spec(
        obs={
            "place": Obs(kind="vector", shape=(2,)),
            "goal": Obs(kind="vector", shape=(2,), goal=True),
            "action_mask": Obs(kind="mask", shape=(5,), dtype="bool"),
        },
        action=ActionSpec(branches=(3, 2)),
    ),
}
KINDS = (*SPACES, *SPECS)

# What may change on the way, and how a writer says so. What is not here may never change.
SAID = {
    "kinds of observations": "kinds of observations|which observations are",
    "names": r"has no name|slashes in names|the name of '|which observations are lists",
    "shapes": r"single numbers are no vectors|shape \[|which numbers are choices",
    "dtypes": "dtype|which numbers are choices",
    "how many numbers there are": "which numbers are choices",
    "values": "which numbers are choices, and their first|what the codec keeps",
    "bounds": "bounds of the actions",
    "choices": "how many choices",
    "why it ended": "why episodes ended|stopped in the middle",
    "last observation": "last observations",
    "rewards": "rewards",
    "seed": "seeds of resets",
    "agent": "agents",
    "group": "groups",
    "team": "teams",
    "who acted": "who acted",
    "what was proposed": "proposed actions",
    "tags": "tags",
    "info": "infos of episodes",
    "the environment's id": "the environment's id",
}  # fmt: skip
BESIDE = (
    "why it ended",
    "last observation",
    "seed",
    "group",
    "who acted",
    "what was proposed",
    "tags",
    "info",
    "the environment's id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """What became of demonstrations in a format.

    Attributes:
        refused: Why they were not written; None if they were.
        lost: What the writer said that it left out.
        changed: What is different, read with the spec of the original where that is possible.
        alone: The same, read without it.
    """

    refused: str | None = None
    lost: tuple[str, ...] = ()
    changed: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()

    @property
    def unsaid(self) -> set[str]:
        """What changed without a word."""
        return {
            what
            for what in self.changed | self.alone
            if not any(re.search(SAID.get(what, r"\Z\A."), text) for text in self.lost)
        }


def cross(name: str, demos: Demos) -> Crossing:
    """Writes demonstrations in a format, reads them again, and compares."""
    writer = WRITERS[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"set{writer.suffix}"
        try:
            lost = writer.write(path, demos)
        except DemoError as error:
            return Crossing(refused=str(error))
        alone = load_demos(path)
        try:
            told = load_demos(path, spec=demos.spec)
        except DemoError:
            told = alone  # the file says itself what its arrays are, and it is something else
        return Crossing(
            lost=lost,
            changed=frozenset(changes(demos, told)),
            alone=frozenset(changes(demos, alone)),
        )


def changes(before: Demos, after: Demos) -> Iterator[str]:
    """What is different, in the words of `SAID` or in others that nobody may say."""
    yield from _spec_changes(before.spec, after.spec)
    if before.provenance.env_id != after.provenance.env_id:
        yield "the environment's id"
    if before.lengths.tolist() != after.lengths.tolist():
        yield "lengths"
        return
    if not np.array_equal(after.returns, [e.return_ for e in after], equal_nan=True):
        yield "returns"
    for one, other in zip(before, after, strict=True):
        yield from _episode_changes(one, other)


def _spec_changes(before: Spec, after: Spec) -> Iterator[str]:
    mine, theirs = before.action, after.action
    if (mine.low, mine.high) != (theirs.low, theirs.high):
        yield "bounds"
    if mine.branches != theirs.branches:
        yield "choices"
    if mine.continuous != theirs.continuous:
        yield "width of the actions"
    if mine.continuous and mine.dtype != theirs.dtype:
        yield "dtypes"
    yield from _obs_changes(before, after)


def _obs_changes(before: Spec, after: Spec) -> Iterator[str]:
    if set(before.obs) != set(after.obs):
        yield "names"
        return
    for name, obs in before.obs.items():
        other = after.obs[name]
        kinds = [(o.kind, o.goal, o.channels_first) for o in (obs, other)]
        if kinds[0] != kinds[1]:
            yield "kinds of observations"
        if obs.shape != other.shape:
            yield "shapes"
        if obs.dtype != other.dtype:
            yield "dtypes"


def _episode_changes(one: Episode, other: Episode) -> Iterator[str]:
    for what, mine, theirs in (
        ("why it ended", one.end, other.end),
        ("last observation", one.final_obs_known, other.final_obs_known),
        ("seed", one.seed, other.seed),
        ("agent", one.agent, other.agent),
        ("group", one.group, other.group),
        ("team", one.team, other.team),
        ("tags", one.tags, other.tags),
        ("who acted", one.acted_by.tolist(), other.acted_by.tolist()),
        ("what was proposed", one.proposed is None, other.proposed is None),
        ("rewards", one.reward is None, other.reward is None),
        ("info", {**one.info, **other.info}, {**other.info, **one.info}),
        ("info", set(one.info) - set(other.info), set[str]()),
    ):
        if mine != theirs:
            yield what
    pairs = [(one.action.continuous, other.action.continuous)]
    pairs += [(one.action.discrete, other.action.discrete)]
    rows = len(one) + other.final_obs_known
    # What is only called otherwise is compared in its order.
    names = zip(sorted(one.obs), sorted(other.obs), strict=False)
    pairs += [(one.obs[a][:rows], other.obs[b][:rows]) for a, b in names]
    if one.reward is not None and other.reward is not None:
        pairs.append((one.reward, other.reward))
    if one.proposed is not None and other.proposed is not None:
        pairs += zip(one.proposed, other.proposed, strict=True)
    for mine, theirs in pairs:
        yield from _array_changes(mine, theirs)


def _array_changes(mine: NDArray[Any], theirs: NDArray[Any]) -> Iterator[str]:
    if mine.dtype != theirs.dtype:
        yield "dtypes"
    if mine.size != theirs.size:
        yield "how many numbers there are"
        return
    if mine.shape != theirs.shape:
        yield "shapes"
    if not np.array_equal(mine.astype(theirs.dtype).reshape(theirs.shape), theirs):
        yield "values"


def plain(kind: str) -> Demos:
    """Random episodes of a kind, with rewards and ends and nothing beside them."""
    rng = np.random.default_rng(0)
    if kind in SPECS:
        spec = SPECS[kind]
        parts = [_parts(spec, steps, rng) for steps in LENGTHS]
    else:
        see, do = SPACES[kind]
        see.seed(1)
        do.seed(2)
        spec = spec_of(see, do)
        seen, done = codecs_of(spec)
        parts = [
            (
                seen.encode_many([see.sample() for _ in range(steps + 1)]),
                done.encode_many([do.sample() for _ in range(steps)]),
            )
            for steps in LENGTHS
        ]
    return Demos(
        spec,
        [
            Episode(
                obs=obs,
                action=action,
                reward=rng.normal(size=len(action.continuous)).astype(np.float32),
                end=end,
                acted_by=np.zeros(len(action.continuous), np.uint8),
            )
            for (obs, action), end in zip(parts, ENDS, strict=True)
        ],
    )


def _parts(spec: Spec, steps: int, rng: np.random.Generator) -> tuple[dict[str, Any], Action]:
    obs = empty_obs(spec, steps + 1)
    for name, kind in spec.obs.items():
        if kind.kind == "mask":
            obs[name][:] = True
            obs[name][::2, 1] = False
            continue
        obs[name][:] = rng.normal(size=obs[name].shape)
        if kind.kind == "entities":
            there = np.arange(kind.shape[0]) < rng.integers(0, kind.shape[0] + 1, (steps + 1, 1))
            obs[present(name)][:] = there
            obs[name][~there] = 0
    action = Action.zeros(spec.action, steps)
    action.continuous[:] = rng.uniform(-1, 1, action.continuous.shape)
    for branch, size in enumerate(spec.action.branches):
        # The second choice of the first branch is forbidden at times.
        action.discrete[:, branch] = rng.choice([0, 2] if size == 3 else size, steps)
    return obs, action


def laden() -> Demos:
    """Episodes of vectors with everything that an episode can say."""
    demos = plain("vector")
    episodes = [
        replace(
            episode,
            proposed=episode.action._replace(continuous=-episode.action.continuous),
            acted_by=np.full(len(episode), ActedBy.HUMAN, np.uint8),
            agent=1,
            group=2,
            team=1,
            seed=7 + index,
            tags=("success",),
            info={"why": "noise"},
        )
        for index, episode in enumerate(demos)
    ]
    return Demos(demos.spec, episodes, Provenance(format="memory", env_id="Reach-v0"))


def bare() -> Demos:
    """Episodes of vectors without rewards and last observations, that stopped in the middle."""
    demos = plain("vector")
    ends = (End.UNKNOWN, End.OPEN, End.OPEN)
    episodes = [
        replace(
            episode,
            obs={name: np.concatenate([x[:-1], x[-2:-1]]) for name, x in episode.obs.items()},
            reward=None,
            end=end,
            final_obs_known=False,
        )
        for episode, end in zip(demos, ends, strict=True)
    ]
    return Demos(demos.spec, episodes)


def mixed() -> Demos:
    """Episodes of which some have rewards and last observations, and others have not."""
    one, other = plain("vector"), bare()
    return Demos(one.spec, [one.episodes[0], other.episodes[1], one.episodes[2]])


def several() -> Demos:
    """Episodes whose rewards have different dtypes, the narrower of them after the wider."""
    one, *rest = (demos := plain("vector")).episodes
    assert one.reward is not None, "as it was made"
    return Demos(demos.spec, [replace(one, reward=one.reward.astype(np.float64)), *rest])


BESIDE_SETS: dict[str, Callable[[], Demos]] = {
    "laden": laden,
    "bare": bare,
    "mixed": mixed,
    "several": several,
}


@cache
def crossed(name: str, what: str) -> Crossing:
    """What became in a format of one of `KINDS` or `BESIDE_SETS`."""
    return cross(name, BESIDE_SETS[what]() if what in BESIDE_SETS else plain(what))


def tables() -> str:
    """Both tables, in Markdown."""
    lines = [_row("", *KINDS), _row("---", *["---"] * len(KINDS))]
    lines += [
        _row(f"`{name}`", *(_cell(crossed(name, kind)) for kind in KINDS)) for name in WRITERS
    ]
    lines += ["", _row("", *BESIDE, "without `spec=`"), _row(*["---"] * (len(BESIDE) + 2))]
    for name in WRITERS:
        found = crossed(name, "laden")
        alone = frozenset[str]().union(*(crossed(name, kind).alone for kind in KINDS))
        guessed = ", ".join(sorted(alone & {*SAID} - {*BESIDE}))
        cells = ("–" if what in found.changed else "yes" for what in BESIDE)
        lines.append(_row(f"`{name}`", *cells, f"changes {guessed}" if guessed else "the same"))
    return "\n".join(lines) + "\n"


def _cell(found: Crossing) -> str:
    if found.refused is not None:
        return "refused"
    changed = sorted(found.changed - {*BESIDE})
    return f"but {', '.join(changed)}" if changed else "yes"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def page() -> str:
    """The page with its tables as they should be."""
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page())
