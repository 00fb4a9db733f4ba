"""What is wrong, odd or worth knowing about a Gymnasium environment, found by playing in it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.action_codec import ActionCodec
from understudy.data.episode import Tree
from understudy.data.obs_codec import ROOT, ObsCodec, join_name
from understudy.data.spec import ActionSpec, Spec
from understudy.envs.actors import RandomActor
from understudy.envs.check import check_env
from understudy.envs.env import one
from understudy.envs.gym import BEHAVIOR, GymEnv
from understudy.envs.gym_make import make_envs
from understudy.envs.opening import planned
from understudy.errors import EnvError

LARGE, SMALL = 100.0, 0.01
"""Deviations of an observation, beyond which networks learn badly from it as it is."""
LARGE_REWARD = 1e3
_LARGEST = 4096
"""Numbers of an observation that statistics are made of, at most."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong or odd.

    Attributes:
        says: What was found, with numbers.
        advice: What to do.
    """

    says: str
    advice: str


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found out about an environment.

    Attributes:
        env_id: Its name.
        versions: What it runs on.
        broken: What breaks the contract: learning there is not to be trusted.
        doubtful: What is allowed and often a mistake.
        facts: What else is worth knowing, by name.
    """

    env_id: str
    versions: Mapping[str, str]
    broken: list[Finding] = field(default_factory=list)
    doubtful: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def examine(
    source: Any,
    *,
    steps: int = 1000,
    seed: int = 0,
    slots: int = 8,
    make_kwargs: Mapping[str, Any] | None = None,
) -> Examination:
    """Plays by chance, several times, and looks at everything that is said.

    Args:
        source: An id, or a function that makes an environment.
        steps: How many steps each time; what happens later is not seen.
        seed: Of the environment and of chance.
        slots: For how many it is said who would keep them.
        make_kwargs: For `gymnasium.make` or the function.

    Raises:
        EnvError: It cannot be made, or its spaces are not supported.
    """
    kwargs = dict(make_kwargs or {})
    with closing(GymEnv(source, 2, make_kwargs=kwargs)) as env:
        found = Examination(env.env_id, env.versions)
        spec = env.behaviors[BEHAVIOR]
        found.facts["spec"] = spec.describe()
        found.broken.extend(_contract(env, steps, seed))
    _actions(found, source, kwargs, spec.action)
    if not found.broken:
        _independence(found, source, kwargs, spec, min(steps, 200), seed)
    (raw,) = make_envs(source, 1, None, kwargs)
    with closing(raw):
        _look(found, raw, spec, steps, seed)
        found.facts["render_modes"] = list(raw.metadata.get("render_modes", []))
    if "rgb_array" in found.facts["render_modes"]:
        _pictures(found, source, kwargs)
    if not found.broken:
        plan = planned(source, slots, make_kwargs=kwargs)
        seconds = plan.step_seconds
        found.facts.update(slots=slots, workers=plan.workers, why=plan.why)
        found.facts["step_ms"] = None if seconds is None else 1e3 * seconds
    return found


def _contract(env: GymEnv, steps: int, seed: int) -> Iterator[Finding]:
    """What `check_env` finds, and what to do."""
    advice = {
        "not determined by the seed": "call super().reset(seed=seed) in reset, draw everything "
        "from self.np_random, and keep nothing from one episode to the next",
        "raised": "mend what raised; the place is in the message",
        "not finite": "a simulation that blows up should end its episode before it says so",
    }
    for says in check_env(env, steps=steps, seed=seed):
        fitting = (todo for part, todo in advice.items() if part in says)
        yield Finding(says, next(fitting, "compare with gymnasium.Env's documentation"))


def _actions(found: Examination, source: Any, kwargs: Mapping[str, Any], spec: ActionSpec) -> None:
    """Whether it can be acted in: the bounds, and what is done at them."""
    if not spec.bounded:
        free = sum(not math.isfinite(b - a) for a, b in zip(spec.low, spec.high, strict=True))
        found.doubtful.append(
            Finding(
                f"{free} of {spec.continuous} continuous actions have no bounds",
                "give the action space finite bounds: exploration, squashed policies and the size "
                "of a step all need a scale (gymnasium.wrappers.RescaleAction)",
            )
        )
        return
    for name, bound in (("low", spec.low), ("high", spec.high)) if spec.continuous else ():
        action = Action.zeros(spec, 1)
        action.continuous[:] = bound
        with closing(GymEnv(source, 1, make_kwargs=kwargs)) as env:
            try:
                env.reset(0)
                for _ in range(20):
                    env.step({BEHAVIOR: action})
            except EnvError as error:
                found.broken.append(
                    Finding(
                        f"fails when every action is at its {name} bound: {error}",
                        "narrow the action space to what the environment can do, or clip inside",
                    )
                )


def _independence(
    found: Examination,
    source: Any,
    kwargs: Mapping[str, Any],
    spec: Spec,
    steps: int,
    seed: int,
) -> None:
    """Whether an environment lives the same episodes when another lives beside it."""
    with (
        closing(GymEnv(source, 1, make_kwargs=kwargs)) as alone,
        closing(GymEnv(source, 2, make_kwargs=kwargs)) as both,
    ):
        actors = [RandomActor(spec, seed), RandomActor(spec, seed + 1)]
        a, b = one(alone.reset(seed)), one(both.reset(seed))
        for step in range(steps):
            same = all(np.array_equal(x[0], b.obs[name][0]) for name, x in a.obs.items())
            if not same or a.reward[0] != b.reward[0]:
                found.broken.append(
                    Finding(
                        f"at step {step} an environment sees or receives something else because "
                        "another one lives beside it",
                        "keep everything in the instance: no class attributes, module variables, "
                        "global random numbers or shared files",
                    )
                )
                return
            acts = [
                actor.act({k: x[i : i + 1] for k, x in b.obs.items()}, {}, b.fresh[i : i + 1])[0]
                for i, actor in enumerate(actors)
            ]
            a, b = (
                one(alone.step({BEHAVIOR: acts[0]})),
                one(both.step({BEHAVIOR: Action.join(acts)})),
            )


@dataclass(slots=True)
class _Seen:
    """What one environment said when it was played without any adapter."""

    firsts: list[Tree] = field(default_factory=list)
    obs: list[Tree] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    ends: list[tuple[bool, bool]] = field(default_factory=list)
    outside: dict[str, int] = field(default_factory=dict)


def _look(found: Examination, env: Any, spec: Spec, steps: int, seed: int) -> None:
    """Play it without any adapter, and judge what it said."""
    codec = ObsCodec(env.observation_space, num_choices=spec.action.num_choices)
    try:
        seen = _play(env, spec, codec, steps, seed)
    except Exception as error:
        if not found.broken:
            text = " ".join(str(error).split())
            found.broken.append(
                Finding(f"fails when played: {type(error).__name__}: {text}", "mend what raised")
            )
        return
    for says, times in seen.outside.items():
        found.doubtful.append(
            Finding(
                f"{says} ({times:,} of {len(seen.obs):,} observations)",
                "let observation_space say what is really seen; nothing is clipped, and another "
                "dtype is cast on every step",
            )
        )
    _episodes(found, env, seen)
    _rewards(found, np.array(seen.rewards))
    _scales(found, spec, codec, seen)


def _play(env: Any, spec: Spec, codec: ObsCodec, steps: int, seed: int) -> _Seen:
    actor, decode = RandomActor(spec, seed), ActionCodec(env.action_space).decode
    seen, length = _Seen(), 0
    fresh = np.ones(1, bool)
    obs, _ = env.reset(seed=seed)
    seen.firsts.append(_kept(codec.encode(obs)))
    for _ in range(steps):
        encoded = _note(seen, env.observation_space, obs, codec)
        told = {name: x[None] for name, x in encoded.items()}
        obs, reward, *ends, _ = env.step(decode(actor.act(told, {}, fresh)[0].at(0)))
        seen.rewards.append(float(reward))
        length += 1
        if any(ends):
            seen.lengths.append(length)
            seen.ends.append((bool(ends[0]), bool(ends[1])))
            _note(seen, env.observation_space, obs, codec)
            obs, _ = env.reset(seed=seed + len(seen.ends))
            seen.firsts.append(_kept(codec.encode(obs)))
            length = 0
    return seen


def _note(seen: _Seen, space: Any, obs: Any, codec: ObsCodec) -> Tree:
    encoded = codec.encode(obs)
    seen.obs.append(_kept(encoded))
    for leaf in _leaves(space, obs, ""):
        for says in _outside(*leaf):
            seen.outside[says] = seen.outside.get(says, 0) + 1
    return encoded


def _kept(obs: Tree) -> Tree:
    """Without what is too large to be kept a thousand times."""
    return {name: x for name, x in obs.items() if x.size <= _LARGEST}


def _leaves(space: Any, value: Any, name: str) -> Iterator[tuple[Any, Any, str]]:
    """Every part of a nested observation with its space and its path."""
    from gymnasium import spaces

    if isinstance(space, spaces.Dict | spaces.Tuple):
        nested = isinstance(space, spaces.Dict)
        for key, part in space.spaces.items() if nested else enumerate(space.spaces):
            yield from _leaves(part, value[key], join_name(name, key))
    else:
        yield space, value, name or ROOT


def _outside(space: Any, value: Any, name: str) -> Iterator[str]:
    """How a value leaves its space, one sentence for every way."""
    from gymnasium import spaces

    if not isinstance(space, spaces.Box):
        if not space.contains(value):
            yield f"observation '{name}' is not in its space {' '.join(str(space).split())}"
        return
    array = np.asarray(value)
    if array.dtype != space.dtype:
        yield f"observation '{name}' is {array.dtype}, its space says {space.dtype}"
    # The dtype is a matter of its own: a bound that was rounded to it may be passed by that much.
    cast = array.astype(space.dtype)
    for side, wrong in (("below", cast < space.low), ("above", cast > space.high)):
        if wrong.any():
            yield f"observation '{name}' leaves its space {side} its bounds"


def _episodes(found: Examination, env: Any, seen: _Seen) -> None:
    """How episodes begin and end."""
    limit = None if env.spec is None else env.spec.max_episode_steps
    terminated = sum(t for t, _ in seen.ends)
    truncated = sum(c and not t for t, c in seen.ends)
    lengths = seen.lengths
    found.facts.update(
        steps=len(seen.rewards),
        episodes=len(lengths),
        mean_length=float(np.mean(lengths)) if lengths else None,
        terminated=terminated,
        truncated=truncated,
        time_limit=limit,
    )
    if not lengths and (limit is None or limit > len(seen.rewards)):
        what = "there is no time limit" if limit is None else f"the time limit is {limit:,} steps"
        found.doubtful.append(
            Finding(
                f"no episode ended in {len(seen.rewards):,} steps by chance; {what}",
                "look longer (--steps)"
                if limit
                else "register it with max_episode_steps, or wrap it in "
                "gymnasium.wrappers.TimeLimit",
            )
        )
    if len(lengths) > 2 and len(set(lengths)) == 1 and terminated == len(lengths):
        found.doubtful.append(
            Finding(
                f"all {len(lengths)} episodes terminated after exactly {lengths[0]} steps, which "
                "looks like a time limit",
                "a time limit is truncated=True: terminated says that nothing can be received any "
                "more, and values learned from it are wrong",
            )
        )
    starts = seen.firsts
    alike = all(np.array_equal(x, y[k]) for y in starts[1:] for k, x in starts[0].items())
    found.facts["begins_alike"] = alike if len(starts) > 1 else None


def _rewards(found: Examination, rewards: NDArray[np.float64]) -> None:
    if not len(rewards) or not np.isfinite(rewards).all():
        return
    least, most = float(rewards.min()), float(rewards.max())
    found.facts.update(reward_min=least, reward_max=most, reward_mean=float(rewards.mean()))
    if not rewards.any():
        found.doubtful.append(
            Finding(
                f"no reward was received in {len(rewards):,} steps by chance",
                "chance will not find what is wanted: learn from demonstrations, too, or reward "
                "what leads there",
            )
        )
    elif max(-least, most) > LARGE_REWARD:
        found.doubtful.append(
            Finding(
                f"rewards reach from {least:,.4g} to {most:,.4g}",
                "values of that size are learned slowly: divide rewards with "
                "gymnasium.wrappers.TransformReward so that most are around 1",
            )
        )


def _scales(found: Examination, spec: Spec, codec: ObsCodec, seen: _Seen) -> None:
    """Observations that a network learns badly from as they are."""
    for name, obs in spec.obs.items():
        floats = np.dtype(obs.dtype).kind == "f"
        if obs.kind == "image" and floats:
            found.doubtful.append(
                Finding(
                    f"image '{name}' is {obs.dtype}, which takes "
                    f"{np.dtype(obs.dtype).itemsize} times the memory of bytes",
                    "let it be uint8 from 0 to 255; networks divide it by 255",
                )
            )
        if obs.kind != "vector" or not floats or not 0 < obs.size <= _LARGEST:
            continue
        x = np.stack([y[name].reshape(-1) for y in seen.obs]).astype(np.float64)
        _spread(found, name, x)


def _spread(found: Examination, name: str, x: NDArray[np.float64]) -> None:
    if not np.isfinite(x).all():
        return
    deviation, count = x.std(0), x.shape[1]
    # What rounding leaves of a constant is none of its changes.
    moves = deviation > 1e-9 * (1 + np.abs(x).max(0))
    constant = count - int(moves.sum())
    uneven = int((moves & ((deviation > LARGE) | (deviation < SMALL))).sum())
    found.facts.setdefault("observations", {})[name] = {
        "min": float(x.min()),
        "max": float(x.max()),
        "constant": constant,
    }
    if uneven:
        moved = deviation[moves]
        found.doubtful.append(
            Finding(
                f"{uneven} of {count} numbers of observation '{name}' vary by more than "
                f"{LARGE:g} or less than {SMALL:g}: standard deviations reach from "
                f"{moved.min():.2g} to {moved.max():.2g}",
                "let the policy normalize what it sees (net.normalize=true)",
            )
        )


def _pictures(found: Examination, source: Any, kwargs: Mapping[str, Any]) -> None:
    """Whether it can be shown as it promises."""
    picture = _tried(lambda: GymEnv(source, 1, render_mode="rgb_array", make_kwargs=kwargs))
    if isinstance(picture, str):
        display = "set MUJOCO_GL=egl or MUJOCO_GL=osmesa where there is no display; "
        found.doubtful.append(
            Finding(
                f"render mode rgb_array is promised, and makes no picture: {picture}",
                f"{display if 'mujoco' in found.versions else ''}films and pictures of a policy "
                "need an array [height, width, 3] of uint8",
            )
        )
    else:
        found.facts["picture"] = list(picture.shape)


def _tried(make: Callable[[], GymEnv]) -> NDArray[np.uint8] | str:
    """A picture, or why there is none."""
    try:
        with warnings.catch_warnings(), closing(make()) as env:
            warnings.simplefilter("ignore")
            env.reset(0)
            picture = env.render()
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    if picture is None or picture.shape[2] != 3 or picture.dtype != np.uint8:
        return "nothing" if picture is None else f"{picture.dtype} {list(picture.shape)}"
    return picture
