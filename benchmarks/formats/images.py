"""How small and how fast camera images become, losslessly.

    python benchmarks/formats/images.py

Frames are real ones: Gymnasium's CartPole and LunarLander as rendered, made smaller; a textured
room with a thing moving in it; and noise as the worst case. Writes `images.json` beside this file.
"""

from __future__ import annotations

import io
import json
import time
import zlib
from pathlib import Path

import gymnasium as gym
import numpy as np
from PIL import Image


def frames(name: str, size: int, count: int = 300) -> np.ndarray:
    """`[count, size, size, 3]` as an agent would see them."""
    if name == "noise":
        return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    if name == "textured room":
        rng = np.random.default_rng(0)
        room = rng.integers(0, 64, (count, size, size, 3), np.uint8)
        room[:] = room[0]
        for t in range(count):
            at = t % (size - 8)
            room[t, at : at + 8, at : at + 8] = 200
        return room
    env = gym.make(name, render_mode="rgb_array")
    env.reset(seed=0)
    env.action_space.seed(0)
    out = []
    for _ in range(count):
        image = Image.fromarray(env.render()).resize((size, size), Image.Resampling.BOX)
        out.append(np.asarray(image))
        *_, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            env.reset()
    env.close()
    return np.stack(out)


def change(images: np.ndarray) -> np.ndarray:
    out = images.copy()
    out[1:] -= images[:-1]
    return out


def undo(data: bytes, images: np.ndarray) -> np.ndarray:
    # Row by row: np.cumsum over the first axis took 10 times as long.
    out = np.frombuffer(data, np.uint8).reshape(images.shape).copy()
    for t in range(1, len(out)):
        out[t] += out[t - 1]
    return out


def png(images: np.ndarray) -> list[bytes]:
    out = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG", compress_level=1)
        out.append(file.getvalue())
    return out


def plain(data: bytes, images: np.ndarray) -> np.ndarray:
    return np.frombuffer(zlib.decompress(data), np.uint8).reshape(images.shape)


WAYS = {
    "zlib 1": (lambda x: zlib.compress(x, 1), plain),
    "zlib 1 of the change": (
        lambda x: zlib.compress(change(x), 1),
        lambda d, x: undo(zlib.decompress(d), x),
    ),
    "zlib 6 of the change": (
        lambda x: zlib.compress(change(x), 6),
        lambda d, x: undo(zlib.decompress(d), x),
    ),
    "PNG 1 per frame": (png, lambda d, x: np.stack([Image.open(io.BytesIO(p)) for p in d])),
}


def main() -> None:
    results = []
    for name in ("CartPole-v1", "LunarLander-v3", "textured room", "noise"):
        for size in (64, 96):
            images = frames(name, size)
            for way, (pack, unpack) in WAYS.items():
                begun = time.perf_counter()
                packed = pack(images)
                packing = time.perf_counter() - begun
                begun = time.perf_counter()
                assert np.array_equal(unpack(packed, images), images)
                unpacking = time.perf_counter() - begun
                total = sum(map(len, packed)) if isinstance(packed, list) else len(packed)
                results.append(
                    {
                        "frames": name,
                        "size": size,
                        "way": way,
                        "percent": round(100 * total / images.nbytes, 2),
                        "pack_us": round(packing / len(images) * 1e6, 1),
                        "unpack_us": round(unpacking / len(images) * 1e6, 1),
                    }
                )
                print(results[-1], flush=True)
    text = "[\n" + ",\n".join("  " + json.dumps(r) for r in results) + "\n]\n"
    Path(__file__).with_name("images.json").write_text(text)


if __name__ == "__main__":
    main()
