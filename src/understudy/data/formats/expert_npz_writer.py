"""Writing expert trajectories as Stable-Baselines 2 records them (`generate_expert_traj`).

Why episodes ended is written too, as `episode_ends`, an array that Stable-Baselines takes no notice
of. Pictures of 8 bits become PNG files in a folder beside the `.npz`, where the originals are
JPEGs: what is written is what was seen. The layout is described in `expert_npz`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos
from understudy.data.episode import End, Episode, Tree
from understudy.data.formats.beside import beside
from understudy.data.formats.expert_npz import ENDS
from understudy.data.formats.left_out import (
    check_steps,
    left_out_beside_spec,
    left_out_beside_steps,
)
from understudy.data.formats.one_reward import OneReward
from understudy.data.spec import Obs, Spec
from understudy.errors import DemoError

# OpenCV, with which Stable-Baselines reads them, knows grey, RGB and RGB with alpha.
_CHANNELS = {1: [0], 3: [0, 1, 2], 4: [2, 1, 0, 3]}


def write(
    path: str | os.PathLike[str], demos: Demos, *, image_folder: str | None = None
) -> tuple[str, ...]:
    """A new expert `.npz`, and a folder of pictures beside it where pictures are seen.

    Args:
        path: The file; it must not exist yet.
        demos: What is written; episodes that lie in other files are read one by one.
        image_folder: What the folder of pictures is called; None: as the file, with `_images`.

    Returns:
        What the layout cannot hold and was left out, in words.

    Raises:
        DemoError: Something exists already, several things are seen, an action has both numbers
            and choices, or an episode does not fit.
    """
    path, spec = Path(path), demos.spec
    seen, done = _seen(path, spec), _done(path, spec)
    folder = path.parent / (image_folder or f"{path.stem}_images")
    if folder.parent != path.parent or folder.name in ("..", path.name):
        raise DemoError(f"image_folder={image_folder!r}: expected a name, for a folder beside it")
    lost, one_reward = left_out_beside_spec(demos), OneReward(demos)
    obs: list[NDArray[Any]] = []
    actions: list[NDArray[Any]] = []
    rewards: list[NDArray[Any]] = []
    ends: list[End] = []
    with ExitStack() as stack:
        place = stack.enter_context(beside(path))
        pictures = _Pictures(stack, folder) if _as_pictures(spec) else None
        for index, episode in enumerate(demos):
            check_steps(episode, spec, f"episode {index}")
            lost |= _lost(episode)
            rows = seen({name: x[:-1] for name, x in episode.obs.items()})
            obs.append(rows if pictures is None else pictures.save(rows))
            actions.append(done(episode))
            given = one_reward.of(episode, lost)
            rewards.append(np.zeros(len(episode), one_reward.dtype) if given is None else given)
            ends.append(episode.end)
        if not obs:
            raise DemoError(f"{path}: no episode, and so nothing to write")
        starts = np.zeros(sum(map(len, rewards)), bool)
        starts[np.cumsum([0, *map(len, rewards)])[:-1]] = True
        arrays: dict[str, Any] = {
            "actions": np.concatenate(actions),
            "obs": np.concatenate(obs),
            "rewards": np.concatenate(rewards),
            "episode_returns": np.array([r.sum(dtype=np.float64) for r in rewards]),
            "episode_starts": starts,
        }
        if any(end is not End.UNKNOWN for end in ends):
            arrays[ENDS] = np.array([str(end) for end in ends])
        with place.open("wb") as file:
            np.savez(file, **arrays)
    return tuple(sorted(lost))


def _lost(episode: Episode) -> set[str]:
    lost = left_out_beside_steps(episode)
    if episode.final_obs_known:
        lost.add("last observations")
    if episode.reward is None:
        lost.add("that there are no rewards")
    return lost


def _seen(path: Path, spec: Spec) -> Callable[[Tree], NDArray[Any]]:
    """Makes `[T, ...]` of what is seen, in the values of its space where it has one."""
    if len(spec.obs) != 1 or next(iter(spec.obs.values())).kind in ("mask", "entities"):
        raise DemoError(
            f"{path}: {spec.describe()}; the layout has one array of observations: write it as "
            "Minari"
        )
    (name,) = spec.obs
    if spec.observation_space is None or spec.action_space is None:
        return lambda tree: _rows(tree[name])
    from understudy.data.spaces import codecs_of

    see, _ = codecs_of(spec)
    return lambda tree: _rows(np.stack([np.asarray(value) for value in see.decode_many(tree)]))


def _done(path: Path, spec: Spec) -> Callable[[Episode], NDArray[Any]]:
    """Makes `[T, ...]` of what was done, in the values of its space where it has one."""
    if spec.action.continuous and spec.action.branches:
        raise DemoError(
            f"{path}: {spec.describe()}; the layout has one array of actions: write it as Minari"
        )
    if spec.action_space is not None and spec.observation_space is not None:
        from understudy.data.spaces import codecs_of

        _, do = codecs_of(spec)

        def decoded(episode: Episode) -> NDArray[Any]:
            return _rows(np.stack([np.asarray(x) for x in do.decode_many(episode.action)]))

        return decoded
    if spec.action.branches:
        return lambda episode: episode.action.discrete
    return lambda episode: episode.action.continuous


def _rows(values: NDArray[Any]) -> NDArray[Any]:
    # Single numbers are stored with an axis of one.
    return values[:, None] if values.ndim == 1 else values


def _space_shape(spec: Spec) -> tuple[int, ...] | None:
    if spec.observation_space is None:
        return None
    from understudy.data.spaces import space_from_json

    return space_from_json(spec.observation_space).shape


def _as_pictures(spec: Spec) -> bool:
    """Whether what is seen comes back as it was from pictures that know no other order of axes."""
    obs: Obs = next(iter(spec.obs.values()))
    if obs.kind != "image" or obs.dtype != "uint8" or obs.channels_first:
        return False
    shape = _space_shape(spec)
    whole = shape is None or shape == obs.shape or (shape == obs.shape[:2] and obs.shape[2] == 1)
    return whole and obs.shape[2] in _CHANNELS and math.prod(obs.shape) > 0


class _Pictures:
    """A folder of pictures, numbered through all episodes."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._name = folder.name
        self._place = stack.enter_context(beside(folder))
        self._place.mkdir()
        self._count = 0

    def save(self, rows: NDArray[np.uint8]) -> NDArray[np.str_]:
        """Writes pictures `[T, H, W]` or `[T, H, W, C]`, and names their files."""
        from PIL import Image

        names: list[str] = []
        for row in rows:
            pixels = row if row.ndim == 3 else row[:, :, None]
            pixels = pixels[:, :, _CHANNELS[pixels.shape[2]]]
            name = f"{self._count}.png"
            flat = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
            Image.fromarray(np.ascontiguousarray(flat)).save(self._place / name, "PNG")
            names.append(f"{self._name}/{name}")
            self._count += 1
        return np.array(names)
