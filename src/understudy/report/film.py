"""Films: one episode as a small animated picture that any browser and README can show."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.actor import Actor
from understudy.envs.display import has_display
from understudy.envs.env import Env, one
from understudy.errors import EnvError
from understudy.run.files import write_whole
from understudy.run.rollouts import turns

WIDTH = 400
"""Pixels; wider frames are made smaller."""
MOST_FRAMES = 240
"""Of a longer film every second frame is left out, or more, and the others are shown for longer."""
MAX_BYTES = 1_500_000
LAST_SECONDS = 1.2
"""How long the last frame stays: how it ended is what people look for."""

_ATTEMPTS = ((72, 1.0), (55, 1.0), (45, 0.75), (35, 0.5), (25, 0.35))
"""Quality and scale, tried until the file is small enough."""


def film(frames: Iterable[NDArray[np.uint8]], path: Path, fps: float = 30.0) -> Path:
    """Write frames as an animated WebP, or as a GIF where Pillow cannot write WebP.

    It plays at the speed of the frames, whatever is left out, and is at most `MAX_BYTES` long
    unless its last attempt, a third of the size, is longer.

    Args:
        frames: `[H, W, 3]` pictures of one size. Any number: only `MOST_FRAMES` are kept in memory.
        path: Where it goes: `.gif` for a GIF; another suffix is replaced by that of the film.
        fps: Frames per second of the episode.

    Returns:
        The file that was written.

    Raises:
        ValueError: There is no frame, or one is not a picture.
        CheckpointError: The file cannot be written.
    """
    kept, stride = _thinned(frames)
    if not kept:
        raise ValueError("a film needs at least one frame")
    kind = "GIF" if path.suffix.lower() == ".gif" or not _webp() else "WEBP"
    path = path.with_suffix(f".{kind.lower()}")
    milliseconds = [round(1000 * stride / fps)] * len(kept)
    milliseconds[-1] += round(1000 * LAST_SECONDS)
    encoded = b""
    for quality, scale in _ATTEMPTS:
        encoded = _encoded(kept, milliseconds, kind, quality, scale)
        if len(encoded) <= MAX_BYTES:
            break
    write_whole(path, encoded)
    return path


def film_episode(
    env: Env, actor: Actor, path: Path, seed: int, max_frames: int = 2000, fps: float = 30.0
) -> Path:
    """Film slot 0 of an environment with one behavior until its episode ends.

    Args:
        env: Where; `render` must give pictures.
        actor: Who acts.
        path: See `film`.
        seed: Of the environment.
        max_frames: Stop after so many steps even if the episode goes on.
        fps: Steps per second.

    Returns:
        The file that was written.

    Raises:
        EnvError: The environment gives no picture.
    """
    return film(_episode(env, actor, seed, max_frames), path, fps)


def off_screen() -> None:
    """Let simulators that are made from now on draw into memory, where there is no display."""
    # Without a window there is nothing that SDL could complain of on the terminal.
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    if sys.platform == "linux" and not has_display():
        # MuJoCo asks X for a window to draw into, unless it is told of another way.
        os.environ.setdefault("MUJOCO_GL", "egl")


def _episode(env: Env, actor: Actor, seed: int, max_frames: int) -> Iterator[NDArray[np.uint8]]:
    behavior = next(iter(env.behaviors))
    for t, turn in enumerate(turns(env, {behavior: actor}, seed)):
        frame = env.render()
        if frame is None:
            raise EnvError(
                f"{env.env_id} gives no picture to film; make it with render_mode='rgb_array' if "
                "it has that"
            )
        yield frame
        moment = one(turn.moments)
        if bool(moment.ended[moment.slots == 0].any()) or t + 1 >= max_frames:
            return


def _thinned(frames: Iterable[NDArray[np.uint8]]) -> tuple[list[Any], int]:
    """At most `MOST_FRAMES` pictures, evenly spaced, the last one among them; and the spacing."""
    from PIL import Image

    kept: list[Any] = []
    stride, last, last_kept, t = 1, None, -1, -1
    for t, frame in enumerate(frames):
        last = frame
        if t % stride:
            continue
        if len(kept) == MOST_FRAMES:
            kept, stride = kept[::2], 2 * stride
            if t % stride:
                continue
        kept.append(_small(Image, frame))
        last_kept = t
    if last is not None and last_kept != t:
        kept.append(_small(Image, last))
    return kept, stride


def _small(image_module: Any, frame: NDArray[np.uint8]) -> Any:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"a frame is {frame.dtype} {list(frame.shape)}, expected uint8 [H, W, 3]")
    image = image_module.fromarray(np.ascontiguousarray(frame))
    if image.width <= WIDTH:
        # A copy: environments may draw the next frame into the same memory.
        return image.copy()
    height = max(1, round(image.height * WIDTH / image.width))
    return image.resize((WIDTH, height), image_module.Resampling.LANCZOS)


def _encoded(
    kept: list[Any], milliseconds: list[int], kind: str, quality: int, scale: float
) -> bytes:
    size = (max(1, round(kept[0].width * scale)), max(1, round(kept[0].height * scale)))
    images = kept if scale == 1 else [image.resize(size) for image in kept]
    fine = {"quality": quality, "method": 2} if kind == "WEBP" else {}
    written = BytesIO()
    images[0].save(
        written,
        save_all=True,
        append_images=images[1:],
        duration=milliseconds if len(images) > 1 else milliseconds[0],
        loop=0,
        format=kind,
        **fine,
    )
    return written.getvalue()


def _webp() -> bool:
    from PIL import features

    return bool(features.check("webp"))
