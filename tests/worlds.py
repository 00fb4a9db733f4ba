"""Tiny worlds and demonstrations that tests share: made by functions, solved in milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from understudy.data.action import Action
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import ActedBy, End, Episode, Tree
from understudy.data.spec import ActionSpec, Obs, Spec, present
from understudy.envs.env import Moment
from understudy.errors import EnvError

OBS_KINDS = ("vector", "image", "entities", "all")
ACTION_KINDS = ("continuous", "discrete", "multi-discrete", "binary", "hybrid", "masked")

SIDE = 20
"""Pixels: the smallest side that the light camera sees."""
ENTITIES = 3
CUES = 3
"""Numbers that say what to do."""

_ACTIONS = {
    "continuous": ActionSpec(continuous=2, low=(-1, -2), high=(1, 2)),
    "discrete": ActionSpec(branches=(3,)),
    "multi-discrete": ActionSpec(branches=(3, 2)),
    "binary": ActionSpec(branches=(2, 2, 2)),
    "hybrid": ActionSpec(continuous=1, low=(-1,), high=(1,), branches=(3,)),
    "masked": ActionSpec(branches=(3, 2)),
}
_OBS = {
    "vector": Obs(kind="vector", shape=(CUES + 1,)),
    "image": Obs(kind="image", shape=(SIDE, SIDE, 1), dtype="uint8"),
    "entities": Obs(kind="entities", shape=(ENTITIES, CUES)),
}


# Demonstrations


def toy_spec(obs_kinds: str | Sequence[str] = "vector", action: str = "discrete") -> Spec:
    """What `toy_demos` see and do."""
    names = _names(obs_kinds)
    obs = {name: _OBS[name] for name in names}
    done = _ACTIONS[action]
    if action == "masked":
        obs["mask"] = Obs(kind="mask", shape=(done.num_choices,), dtype="bool")
    return Spec(obs=obs, action=done)


def toy_demos(
    obs_kinds: str | Sequence[str],
    action: str,
    episodes: int,
    steps: int,
    rng: np.random.Generator,
    memory_task: bool = False,
) -> Demos:
    """Episodes of `steps / 2` to `steps` steps whose actions are a function of what was seen.

    Three cues in [-1, 1] say what to do. One kind of observation shows all three; several show one
    cue each, so that no kind can be done without.

    Args:
        obs_kinds: `vector`, `image`, `entities`, several of them, or `all`.
        action: One of `ACTION_KINDS`.
        episodes: How many; every other one is terminated, the others are truncated.
        steps: Of the longest.
        rng: Draws everything.
        memory_task: The cues are shown in the first row alone and count for the whole episode.
    """
    spec = toy_spec(obs_kinds, action)
    made = [_episode(spec, obs_kinds, action, i, steps, rng, memory_task) for i in range(episodes)]
    return Demos(spec, made, Provenance(format="memory", env_id="Toy-v0"))


def _names(obs_kinds: str | Sequence[str]) -> tuple[str, ...]:
    if obs_kinds == "all":
        return ("vector", "image", "entities")
    return (obs_kinds,) if isinstance(obs_kinds, str) else tuple(obs_kinds)


def _episode(
    spec: Spec,
    obs_kinds: str | Sequence[str],
    action: str,
    index: int,
    steps: int,
    rng: np.random.Generator,
    memory_task: bool,
) -> Episode:
    length = int(rng.integers(max(1, steps // 2), steps + 1))
    cues = rng.uniform(-1, 1, (length + 1, CUES))
    shown = cues
    if memory_task:
        cues = np.repeat(cues[:1], length + 1, 0)
        shown = np.concatenate([cues[:1], np.zeros_like(cues[1:])])
    obs = _shown(_names(obs_kinds), shown, rng)
    allowed = None
    if action == "masked":
        allowed = np.ones((length + 1, spec.action.num_choices), bool)
        forbidden = rng.integers(0, 3, length + 1)
        allowed[np.arange(length + 1), forbidden] = False
        obs["mask"] = allowed
    return Episode(
        obs=obs,
        action=_meant(action, cues[:-1], None if allowed is None else allowed[:-1]),
        reward=np.ones(length, np.float32),
        end=End.TRUNCATED if index % 2 else End.TERMINATED,
        acted_by=np.full(length, ActedBy.SCRIPT, np.uint8),
        label=f"toy#{index}",
    )


def _shown(names: tuple[str, ...], cues: NDArray[Any], rng: np.random.Generator) -> Tree:
    """Observations `[T+1, ...]`; of several kinds the i-th shows the i-th cue."""
    obs: Tree = {}
    for i, name in enumerate(names):
        seen = cues if len(names) == 1 else cues * (np.arange(CUES) == i)
        count = len(seen)
        if name == "vector":
            flag = rng.integers(0, 2, (count, 1))
            obs[name] = np.concatenate([seen, flag], 1).astype(np.float32)
        elif name == "image":
            stripes = np.repeat(seen, -(-SIDE // CUES), 1)[:, None, :SIDE, None]
            bright = np.broadcast_to(127.5 + 127.5 * stripes, (count, SIDE, SIDE, 1))
            obs[name] = bright.astype(np.uint8)
        else:
            there = np.arange(ENTITIES) < rng.integers(1, ENTITIES + 1, (count, 1))
            obs[name] = (seen[:, None] * there[..., None]).astype(np.float32)
            obs[present(name)] = there
    return obs


def _meant(action: str, cues: NDArray[Any], allowed: NDArray[np.bool_] | None) -> Action:
    a, b, c = cues.T
    three = np.argmax(cues, 1)
    if action == "masked" and allowed is not None:
        three = np.argmax(np.where(allowed[:, :3], cues, -np.inf), 1)
    numbers = {
        "continuous": np.stack([0.5 * (a - b), a + c], 1),
        "hybrid": (0.5 * (a + b))[:, None],
    }
    choices = {
        "discrete": three[:, None],
        "multi-discrete": np.stack([three, a > b], 1),
        "masked": np.stack([three, a > b], 1),
        "binary": cues > 0,
        "hybrid": three[:, None],
    }
    return Action(
        numbers.get(action, np.zeros((len(cues), 0))).astype(np.float32),
        choices.get(action, np.zeros((len(cues), 0))).astype(np.int64),
    )


def episode_of(
    spec: Spec,
    obs: ArrayLike,
    *,
    continuous: ArrayLike = (),
    discrete: ArrayLike = (),
    name: str = "obs",
    **facts: Any,
) -> Episode:
    """An episode written out by hand: `T+1` observations, `T` actions each a number or a list."""
    f, a = spec.fields[name], spec.action
    seen = np.array(obs, f.dtype).reshape(-1, *f.shape)
    steps = len(seen) - 1
    return Episode(
        obs={name: seen},
        action=Action(
            np.array(continuous, a.dtype).reshape(steps, a.continuous),
            np.array(discrete, np.int64).reshape(steps, len(a.branches)),
        ),
        acted_by=np.full(steps, ActedBy.SCRIPT, np.uint8),
        **facts,
    )


# Environments


class TinyEnv:
    """An environment in memory whose slots live as long as they are told.

    It sees where it is, `[slot, episode, step]`, and receives 1 per step. Episodes of a slot are
    terminated and truncated in turn.

    Attributes:
        received: By behavior, `(slot, episode, step, action)` of every action that counted.
        closed: How often `close` was called.
    """

    env_id = "Tiny-v0"
    versions: Mapping[str, str] = {"tiny": "1"}

    def __init__(
        self,
        lengths: Mapping[str, Sequence[Sequence[int]]] | None = None,
        periods: Mapping[str, Sequence[int]] | None = None,
        action: ActionSpec | None = None,
    ) -> None:
        """Settle who lives how long and who speaks when.

        Args:
            lengths: By behavior and slot, steps of the first episode, the second, and around again.
            periods: By behavior and slot: it speaks at every so manieth moment; 1 by default.
            action: What can be done.
        """
        self.lengths = lengths or {"agent": [[3], [5]]}
        self.periods = periods or {n: [1] * len(slots) for n, slots in self.lengths.items()}
        seen = {"obs": Obs(kind="vector", shape=(3,))}
        spec = Spec(obs=seen, action=action or ActionSpec(branches=(100,)))
        self.behaviors: Mapping[str, Spec] = {name: spec for name in self.lengths}
        self.slots: Mapping[str, int] = {name: len(slots) for name, slots in self.lengths.items()}
        self.received: dict[str, list[tuple[int, int, int, Action]]] = {n: [] for n in self.slots}
        self.closed = 0

    def reset(self, seed: int | None = None) -> Mapping[str, Moment]:
        """Begin everywhere; nothing is random."""
        self._seed = seed or 0
        self._time = 0
        # Per slot: episode, step, and whether something happened that it has not spoken of.
        self._lives = {name: [[0, 0] for _ in range(count)] for name, count in self.slots.items()}
        return self._moments()

    def step(self, actions: Mapping[str, Action]) -> Mapping[str, Moment]:
        """One action for every slot that spoke."""
        for name, action in actions.items():
            spoke = self._spoke[name]
            assert len(action.continuous) == len(action.discrete) == len(spoke)
            for n, slot in enumerate(spoke):
                self._live(name, slot, action.at(n))
        assert set(actions) == set(self._spoke), "an action for everybody who spoke"
        self._time += 1
        return self._moments()

    def _live(self, name: str, slot: int, action: Action) -> None:
        life = self._lives[name][slot]
        episode, step = life
        if step == self._length(name, slot, episode):
            life[:] = episode + 1, 0
        else:
            self.received[name].append((slot, episode, step, action))
            life[1] += 1

    def _length(self, name: str, slot: int, episode: int) -> int:
        return self.lengths[name][slot][episode % len(self.lengths[name][slot])]

    def _moments(self) -> dict[str, Moment]:
        speaking = {
            name: [slot for slot, period in enumerate(periods) if self._time % period == 0]
            for name, periods in self.periods.items()
        }
        self._spoke = {name: slots for name, slots in speaking.items() if slots}
        return {name: self._moment(name, slots) for name, slots in self._spoke.items()}

    def _moment(self, name: str, slots: list[int]) -> Moment:
        lives = [self._lives[name][slot] for slot in slots]
        step = np.array([step for _, step in lives])
        episode = np.array([episode for episode, _ in lives])
        over = step == [self._length(name, s, e) for s, e in zip(slots, episode, strict=True)]
        return Moment(
            slots=np.array(slots, np.int64),
            obs={"obs": np.stack([slots, episode, step], 1).astype(np.float32)},
            reward=(step > 0).astype(np.float32),
            terminated=over & (episode % 2 == 0),
            truncated=over & (episode % 2 == 1),
            fresh=step == 0,
        )

    @property
    def moments(self) -> Mapping[str, Moment]:
        """What the slots said last."""
        return self._moments()

    def state_dict(self) -> dict[str, Any]:
        """Where every life is."""
        lives = {name: [list(life) for life in lives] for name, lives in self._lives.items()}
        return {"seed": self._seed, "time": self._time, "lives": lives}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Be there."""
        self._seed, self._time = state["seed"], state["time"]
        self._lives = {name: [list(x) for x in lives] for name, lives in state["lives"].items()}

    def seeds(self, behavior: str) -> list[int | None]:
        """`seed * 1000 + slot * 100 + episode`."""
        lives = self._lives[behavior]
        return [self._seed * 1000 + slot * 100 + life[0] for slot, life in enumerate(lives)]

    def render(self) -> None:
        """Nothing to see."""

    def close(self) -> None:
        """Count it."""
        self.closed += 1


class CountingActor:
    """Remembers, for every slot, how often it has acted in this episode, and does that number."""

    acted_by = ActedBy.SCRIPT
    proposed: Action | None = None

    def __init__(self, spec: Spec, propose: Callable[[Action], Action] | None = None) -> None:
        self.spec = spec.action
        self._propose = propose

    def start(self, slots: int) -> Tree:
        return {"count": np.zeros((slots, 1), np.int64)}

    def act(self, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> tuple[Action, Tree]:
        count = np.where(fresh[:, None], 0, state["count"])
        action = Action.zeros(self.spec, len(fresh))
        action.discrete[:] = count
        if self._propose is not None:
            self.proposed = self._propose(action)
        return action, {"count": count + 1}


class CueEnv:
    """Three cues say what to do, as in `toy_demos`; doing it brings up to 1 per step.

    Every episode has four steps; of every two one is terminated and one truncated.
    """

    env_id = "Cue-v0"
    versions: Mapping[str, str] = {"cue": "1"}
    steps = 4

    def __init__(self, obs: str = "vector", action: str = "discrete", slots: int = 2) -> None:
        """Args: obs, action: as for `toy_demos`. slots: how many."""
        self.kinds, self.action = obs, action
        self.behaviors: Mapping[str, Spec] = {"agent": toy_spec(obs, action)}
        self.slots: Mapping[str, int] = {"agent": slots}

    def reset(self, seed: int | None = None) -> Mapping[str, Moment]:
        """Draw the first cues."""
        self._rng = np.random.default_rng(seed)
        self._time = 0
        self._draw(np.zeros(self.slots["agent"], np.float32))
        return self.moments

    def step(self, actions: Mapping[str, Action]) -> Mapping[str, Moment]:
        """Judge what was done by what was meant, and draw new cues."""
        done, meant = actions["agent"], self._meant
        off = np.abs(done.continuous - meant.continuous).sum(1) + (
            done.discrete != meant.discrete
        ).sum(1)
        width = done.continuous.shape[1] + done.discrete.shape[1]
        acted = self._time % (self.steps + 1) < self.steps
        self._time += 1
        self._draw((acted * (1 - off / width)).astype(np.float32))
        return self.moments

    def _draw(self, reward: NDArray[np.float32]) -> None:
        count, step = self.slots["agent"], self._time % (self.steps + 1)
        episode = self._time // (self.steps + 1)
        cues = self._rng.uniform(-1, 1, (count, CUES))
        obs, allowed = _shown(_names(self.kinds), cues, self._rng), None
        if self.action == "masked":
            allowed = np.ones((count, self.behaviors["agent"].action.num_choices), bool)
            allowed[np.arange(count), self._rng.integers(0, 3, count)] = False
            obs["mask"] = allowed
        self._meant = _meant(self.action, cues, allowed)
        over = np.full(count, step == self.steps)
        moment = Moment(
            slots=np.arange(count),
            obs=obs,
            reward=reward,
            terminated=over & (episode % 2 == 0),
            truncated=over & (episode % 2 == 1),
            fresh=np.full(count, step == 0),
        )
        self.moments: Mapping[str, Moment] = {"agent": moment}

    def seeds(self, behavior: str) -> list[int | None]:
        """Of no episode."""
        return [None] * self.slots[behavior]

    def render(self) -> None:
        """Nothing to see."""

    def state_dict(self) -> dict[str, Any]:
        """It cannot be gone back to."""
        raise EnvError("Cue-v0 cannot be taken up again")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """It cannot be gone back to."""
        raise EnvError("Cue-v0 cannot be taken up again")

    def close(self) -> None:
        """Nothing to let go of."""
