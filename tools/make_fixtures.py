"""Writes the small recordings that other libraries made, which the tests read.

Each library is asked in an environment of its own, where it is installed:

    /path/of/its/python tools/make_fixtures.py tianshou

All of them record the same two episodes, `EPISODES`: what is seen at step k of episode e is
`(10 e + k, -k)`, what is done `k % 3` (or 0.1 k), and the reward is k.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent.parent / "tests" / "data" / "formats" / "peers"
EPISODES = ((4, "terminated"), (3, "truncated"))


def seen(episode: int, step: int) -> np.ndarray:
    """What is seen at a step."""
    return np.array([10 * episode + step, -step], np.float32)


def make_tianshou(folder: Path) -> None:
    """Three buffers: one that ran full, one of two environments, and one of nested observations."""
    from tianshou.data import Batch, ReplayBuffer, VectorReplayBuffer  # pyright: ignore[reportMissingImports]

    def transitions() -> list[Any]:
        return [
            Batch(
                obs=seen(e, k), obs_next=seen(e, k + 1), act=k % 3, rew=float(k), info={},
                terminated=end == "terminated" and k == steps - 1,
                truncated=end == "truncated" and k == steps - 1,
            )
            for e, (steps, end) in enumerate(EPISODES)
            for k in range(steps)
        ]  # fmt: skip

    full = ReplayBuffer(7)
    for step in [*transitions(), *transitions()[:2]]:
        full.add(step)
    full.save_hdf5(str(folder / "tianshou_full.hdf5"))
    several = VectorReplayBuffer(20, 2)
    for step in transitions():
        several.add(Batch.stack([step, step]))
    several.save_hdf5(str(folder / "tianshou_several.hdf5"))
    nested = ReplayBuffer(20, ignore_obs_next=True)
    for step in transitions():
        step.obs = Batch(place=step.obs, view=np.full((16, 18, 3), step.act, np.uint8))
        nested.add(step)
    nested.save_hdf5(str(folder / "tianshou_nested.hdf5"), compression="gzip")


def make_d3rlpy(folder: Path) -> None:
    """Choices, and observations of two parts with continuous actions."""
    from d3rlpy.dataset import Episode, dump  # pyright: ignore[reportMissingImports]

    def episodes(*, parts: bool) -> list[Any]:
        out: list[Any] = []
        for e, (steps, end) in enumerate(EPISODES):
            obs = np.stack([seen(e, k) for k in range(steps)])
            view = np.stack([np.full((3, 16, 18), k, np.uint8) for k in range(steps)])
            acts = np.arange(steps)[:, None]
            done = (0.1 * acts).astype(np.float32) if parts else acts % 3
            rewards = np.arange(steps, dtype=np.float32)[:, None]
            out.append(Episode([obs, view] if parts else obs, done, rewards, end == "terminated"))
        return out

    for name, parts in (("d3rlpy.h5", False), ("d3rlpy_parts.h5", True)):
        with (folder / name).open("w+b") as file:
            dump(episodes(parts=parts), file)


def make_minari(folder: Path) -> None:
    """Nested spaces, and pictures as JPEGs, in HDF5 and in Arrow."""
    with tempfile.TemporaryDirectory() as root:
        os.environ["MINARI_DATASETS_PATH"] = root
        import minari  # pyright: ignore[reportMissingImports]
        from gymnasium import spaces
        from minari.data_collector import EpisodeBuffer  # pyright: ignore[reportMissingImports]

        place, view = spaces.Box(-100, 100, (2,)), spaces.Box(0, 255, (32, 32), np.uint8)
        nested = spaces.Dict(place=place, light=spaces.Tuple([spaces.Discrete(3), place]))
        acts = spaces.Dict(move=spaces.Box(-1, 1, (1,)), press=spaces.MultiDiscrete([3, 2]))
        for name, space in (
            ("nested-v0", nested), ("jpeg-v0", view), ("arrow-v0", nested), ("arrow-jpeg-v0", view),
        ):  # fmt: skip
            buffers = [_minari_episode(EpisodeBuffer, e, jpeg=space is view) for e in range(2)]
            minari.create_dataset_from_buffers(
                name, buffers, observation_space=space,
                data_format="arrow" if name.startswith("arrow") else "hdf5",
                action_space=spaces.Discrete(3) if space is view else acts,
                algorithm_name="fixture",
            )  # fmt: skip
            shutil.rmtree(folder / name, ignore_errors=True)
            shutil.copytree(Path(root) / name, folder / name)


def _minari_episode(buffer: Any, e: int, *, jpeg: bool) -> Any:
    steps, end = EPISODES[e]
    places = np.stack([seen(e, k) for k in range(steps + 1)])
    k, after = np.arange(steps), np.arange(steps + 1)
    if jpeg:
        observations: Any = np.stack([np.full((32, 32), 50 * j, np.uint8) for j in after])
        actions: Any = k % 3
    else:
        observations = {"place": places, "light": (after % 3, -places)}
        move = (0.1 * k).astype(np.float32)[:, None]
        actions = {"move": move, "press": np.stack([k % 3, k % 2], axis=1)}
    last = k == steps - 1
    return buffer(
        id=e, seed=e + 7, observations=observations, actions=actions,
        rewards=k.astype(float).tolist(), infos={"x": after},
        terminations=(last & (end == "terminated")).tolist(),
        truncations=(last & (end == "truncated")).tolist(),
    )  # fmt: skip


def make_di_engine(folder: Path) -> None:
    """Transitions as its policies collect them."""
    import torch
    from ding.utils.data.dataset import hdf5_save  # pyright: ignore[reportMissingImports]

    data = [
        {
            "obs": torch.from_numpy(seen(e, k)),
            "next_obs": torch.from_numpy(seen(e, k + 1)),
            "action": torch.tensor([k % 3]),
            "reward": torch.tensor([float(k)]),
            "done": k == steps - 1,
        }
        for e, (steps, _) in enumerate(EPISODES)
        for k in range(steps)
    ]
    hdf5_save(data, str(folder / "di_engine.pkl"))


def make_di_engine_pickles(folder: Path) -> None:
    """A network without training plays CartPole: 60 steps, and three episodes."""
    import torch
    from ding.entry.application_entry import (  # pyright: ignore[reportMissingImports]
        collect_demo_data,
        collect_episodic_demo_data,
    )
    from ding.model import DQN  # pyright: ignore[reportMissingImports]

    known = import_module("dizoo.classic_control.cartpole.config.cartpole_dqn_config")
    name_of_bool = "bool8"
    setattr(np, name_of_bool, np.bool_)  # what DI-engine's own version of gym asks for
    by_episode = {"type": "episode", "get_train_sample": False}
    for collect, how, name, count in (
        (collect_demo_data, {}, "expert_data", 60),
        (collect_episodic_demo_data, by_episode, "episodes", 3),
    ):
        main_config = deepcopy(known.main_config)
        create = deepcopy(known.create_config)
        main_config.exp_name = tempfile.mkdtemp()
        main_config.policy.update({"cuda": False, "nstep": 1})
        main_config.env.collector_env_num = 2
        create.env_manager.type = "base"
        amount = {"n_episode": count} if how else {"n_sample": count}
        main_config.policy.collect = {"unroll_len": 1, "collector": how, **amount}
        torch.manual_seed(0)
        model = DQN(**main_config.policy.model)
        collect(
            (main_config, create),
            seed=0,
            collect_count=count,
            expert_data_path=str(folder / f"di_engine_{name}.pkl"),
            model=model,
            state_dict={"model": model.state_dict()},
        )


def make_imitation(folder: Path) -> None:
    """Trajectories with rewards; the second one was cut off while it went on."""
    from imitation.data import serialize, types  # pyright: ignore[reportMissingImports]

    trajectories = [
        types.TrajectoryWithRew(
            obs=np.stack([seen(e, k) for k in range(steps + 1)]),
            acts=np.arange(steps) % 3,
            infos=np.array([{"place": Path("x"), "k": k} for k in range(steps)]),
            terminal=end == "terminated",
            rews=np.arange(steps, dtype=np.float64),
        )
        for e, (steps, end) in enumerate(EPISODES)
    ]
    shutil.rmtree(folder / "imitation", ignore_errors=True)
    serialize.save(folder / "imitation", trajectories)


def make_lerobot(folder: Path) -> None:
    """Vectors and pictures, with rewards and flags."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset  # pyright: ignore[reportMissingImports]

    features = {
        "observation.state": {"dtype": "float32", "shape": (2,), "names": None},
        "observation.images.top": {
            "dtype": "image", "shape": (16, 18, 3), "names": ["height", "width", "channel"],
        },
        "action": {"dtype": "float32", "shape": (1,), "names": None},
        "next.reward": {"dtype": "float32", "shape": (1,), "names": None},
        "next.done": {"dtype": "bool", "shape": (1,), "names": None},
    }  # fmt: skip
    shutil.rmtree(folder / "lerobot", ignore_errors=True)
    data = LeRobotDataset.create(
        "fixture/lerobot", fps=10, features=features, root=folder / "lerobot", use_videos=False
    )
    for e, (steps, _) in enumerate(EPISODES):
        for k in range(steps):
            data.add_frame(
                {
                    "observation.state": seen(e, k),
                    "observation.images.top": np.full((16, 18, 3), 50 * k, np.uint8),
                    "action": np.array([0.1 * k], np.float32),
                    "next.reward": np.array([k], np.float32),
                    "next.done": np.array([k == steps - 1]),
                    "task": "go",
                }
            )
        data.save_episode()
    data.finalize()
    shutil.rmtree(folder / "lerobot" / "images", ignore_errors=True)


def make_lerobot_video(folder: Path) -> None:
    """Two episodes in one video, in its own codec, whose brightness counts frames."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset  # pyright: ignore[reportMissingImports]

    features = {
        "observation.images.top": {
            "dtype": "video", "shape": (64, 72, 3), "names": ["height", "width", "channels"],
        },
        "action": {"dtype": "float32", "shape": (1,), "names": None},
    }  # fmt: skip
    shutil.rmtree(folder / "lerobot_video", ignore_errors=True)
    data = LeRobotDataset.create(
        "fixture/lerobot_video", fps=10, features=features, root=folder / "lerobot_video"
    )
    for e, (steps, _) in enumerate(EPISODES):
        for k in range(steps):
            data.add_frame(
                {
                    "observation.images.top": np.full((64, 72, 3), 100 * e + 25 * k + 20, np.uint8),
                    "action": np.array([0.1 * k], np.float32),
                    "task": "go",
                }
            )
        data.save_episode()
    data.finalize()
    shutil.rmtree(folder / "lerobot_video" / "images", ignore_errors=True)


MAKERS = {
    "lerobot": make_lerobot,
    "lerobot-video": make_lerobot_video,
    "imitation": make_imitation,
    "tianshou": make_tianshou,
    "d3rlpy": make_d3rlpy,
    "minari": make_minari,
    "di-engine": make_di_engine,
    "di-engine-pickles": make_di_engine_pickles,
}


def main(arguments: list[str]) -> int:
    """Writes the recordings of the libraries that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("library", nargs="+", choices=sorted(MAKERS))
    FOLDER.mkdir(exist_ok=True)
    for library in parser.parse_args(arguments).library:
        MAKERS[library](FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
