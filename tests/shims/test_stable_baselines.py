"""Names of Stable-Baselines 2: programs of its users run, and their traps are not there."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest

from understudy.data.formats.door import load_demos
from understudy.errors import ConfigError, DemoError, UnderstudyError
from understudy.shims.stable_baselines import (
    GAIL,
    PPO2,
    SAC,
    ExpertDataset,
    generate_expert_traj,
)

LEAN = 0.1


def balance(obs: np.ndarray) -> int:
    """An expert of CartPole: against the fall."""
    return int(obs[2] + LEAN * obs[3] > 0)


@pytest.fixture(scope="module")
def expert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("expert") / "expert_cart_pole"
    generate_expert_traj(balance, path, "CartPole-v1", n_episodes=5)
    return path.with_name("expert_cart_pole.npz")


def test_an_expert_is_recorded_in_whole_episodes(expert: Path) -> None:
    arrays = generate_expert_traj(balance, None, "CartPole-v1", n_episodes=5)
    with np.load(expert) as file:
        for name in ("actions", "obs", "rewards", "episode_returns", "episode_starts"):
            np.testing.assert_array_equal(arrays[name], file[name])
    assert arrays["episode_starts"].sum() == len(arrays["episode_returns"]) == 5
    assert arrays["rewards"].sum() == arrays["episode_returns"].sum()
    assert arrays["actions"].shape == (len(arrays["obs"]), 1)
    obs = arrays["obs"]
    np.testing.assert_array_equal(arrays["actions"][:, 0], obs[:, 2] + LEAN * obs[:, 3] > 0)


def test_the_environment_of_an_expert_is_left_open() -> None:
    env = gymnasium.make("CartPole-v1")
    generate_expert_traj(balance, None, env, n_episodes=1)
    env.reset()
    env.step(0)
    env.close()


def test_experts_may_be_models_and_things_that_predict(tmp_path: Path) -> None:
    model = PPO2("MlpPolicy", "CartPole-v1", seed=1, slots=2, rows=64)
    arrays = generate_expert_traj(model, tmp_path / "a", n_timesteps=200, n_episodes=2)
    assert model.agent.policy.facts["steps"] >= 200
    assert arrays["episode_starts"].sum() == 2

    class Predicts:
        def predict(self, obs: np.ndarray) -> tuple[int, None]:
            return balance(obs), None

    arrays = generate_expert_traj(Predicts(), None, "CartPole-v1", n_episodes=1)
    assert arrays["episode_starts"].sum() == 1


def test_experts_that_cannot_act_are_refused() -> None:
    with pytest.raises(ConfigError, match="give one"):
        generate_expert_traj(balance, None)
    with pytest.raises(ConfigError, match="cannot learn"):
        generate_expert_traj(balance, None, "CartPole-v1", n_timesteps=10)
    with pytest.raises(ConfigError, match="of type int"):
        generate_expert_traj(3, None, "CartPole-v1")


def test_a_limit_keeps_exactly_that_many_trajectories(expert: Path) -> None:
    demos = load_demos(expert)
    for limit in (1, 3, 5):
        dataset = ExpertDataset(expert, traj_limitation=limit, verbose=0)
        assert dataset.num_traj == limit
        assert dataset.num_transition == demos.lengths[:limit].sum() == len(dataset.observations)
        assert dataset.avg_ret == pytest.approx(demos.returns[:limit].mean())
    assert ExpertDataset(expert, traj_limitation=99, verbose=0).num_traj == 5


def test_batches_show_every_step_once_and_hold_out_whole_episodes(expert: Path) -> None:
    dataset = ExpertDataset(expert, train_fraction=0.6, batch_size=100, verbose=0)
    seen: dict[str, set[bytes]] = {}
    for split in ("train", "val"):
        total, rows = len(dataset._rows[split]), []
        for _ in range(-(-total // 100)):
            obs, actions = dataset.get_next_batch(split)
            assert len(obs) == len(actions) <= 100
            np.testing.assert_array_equal(actions[:, 0], obs[:, 2] + LEAN * obs[:, 3] > 0)
            rows += [row.tobytes() for row in obs]
        assert len(rows) == len(set(rows)) == total
        seen[split] = set(rows)
    assert not seen["train"] & seen["val"]
    for episode in dataset.demos:
        rows = {row.tobytes() for row in episode.obs["obs"][:-1]}
        assert rows <= seen["train"] or rows <= seen["val"]
    assert sum(len(rows) for rows in seen.values()) == dataset.num_transition


def test_without_chance_batches_come_in_the_order_of_the_file(expert: Path) -> None:
    dataset = ExpertDataset(expert, batch_size=7, randomize=False, verbose=0)
    first, _ = dataset.get_next_batch()
    second, _ = dataset.get_next_batch(None)
    np.testing.assert_array_equal(np.concatenate([first, second]), dataset.observations[:14])


def test_arrays_are_taken_instead_of_a_file(expert: Path, capsys) -> None:
    arrays = generate_expert_traj(balance, None, "CartPole-v1", n_episodes=5)
    dataset, other = ExpertDataset(traj_data=arrays), ExpertDataset(expert, verbose=0)
    np.testing.assert_array_equal(dataset.observations, other.observations)
    np.testing.assert_array_equal(dataset.actions, other.actions)
    assert capsys.readouterr().out.startswith("5 episodes, ")


def test_arguments_that_make_no_sense_are_refused(expert: Path) -> None:
    for arguments, found in (
        ({}, "exactly one"),
        ({"expert_path": expert, "traj_data": {}}, "exactly one"),
        ({"expert_path": expert, "train_fraction": 0}, "train_fraction=0"),
        ({"expert_path": expert, "traj_limitation": 0}, "traj_limitation=0"),
        ({"expert_path": expert, "batch_size": 0}, "batch_size=0"),
    ):
        with pytest.raises(ConfigError, match=found):
            ExpertDataset(**arguments, verbose=0)  # type: ignore[arg-type]
    with pytest.raises(DemoError, match="obs, rewards, episode_starts missing"):
        ExpertDataset(traj_data={"actions": np.zeros(3)})
    one = ExpertDataset(expert, traj_limitation=1, verbose=0)
    with pytest.raises(DemoError, match="nothing is held out"):
        one.get_next_batch("val")
    with pytest.raises(ConfigError, match="train, val or None"):
        one.get_next_batch("test")  # type: ignore[arg-type]


def test_returns_are_plotted(expert: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib").use("agg")
    ExpertDataset(expert, verbose=0).plot(tmp_path / "returns.png")
    assert (tmp_path / "returns.png").read_bytes().startswith(b"\x89PNG")


def test_gail_learns_is_saved_and_acts(expert: Path, tmp_path: Path, capsys) -> None:
    dataset = ExpertDataset(expert_path=expert, traj_limitation=3, verbose=0)
    model = GAIL("MlpPolicy", "CartPole-v1", dataset, verbose=1, seed=0, slots=2, rows=64)
    assert model.learn(total_timesteps=256) is model
    assert "step" in capsys.readouterr().out
    model.save(tmp_path / "gail")
    again = GAIL.load(tmp_path / "gail")
    obs = np.array([0.0, 0, 0.05, 0], np.float32)
    assert again.predict(obs, deterministic=True)[0] == model.predict(obs, deterministic=True)[0]
    with pytest.raises(UnderstudyError, match="learned already"):
        model.learn(100)


def test_files_that_do_not_say_why_episodes_ended_need_it_said(expert: Path) -> None:
    arrays = generate_expert_traj(balance, None, "CartPole-v1", n_episodes=2)
    del arrays["episode_ends"]  # as theirs are
    silent = ExpertDataset(traj_data=arrays, verbose=0)
    with pytest.raises(DemoError, match="do not say whether the task was over"):
        GAIL("MlpPolicy", "CartPole-v1", silent).learn(10)
    told = ExpertDataset(traj_data=arrays, ends="truncated", verbose=0)
    GAIL("MlpPolicy", "CartPole-v1", told, slots=2, rows=64).learn(10)
    with pytest.raises(ConfigError, match="ends='over'"):
        ExpertDataset(traj_data=arrays, ends="over")


def test_pretraining_clones_and_learning_goes_on_from_there(expert: Path) -> None:
    dataset = ExpertDataset(expert, verbose=0)
    model = PPO2("MlpPolicy", "CartPole-v1", seed=0, slots=2, rows=64)
    model.pretrain(dataset, n_epochs=40, learning_rate=3e-3)
    right = [
        model.predict(obs, deterministic=True)[0] == action[0]
        for obs, action in zip(dataset.observations[:200], dataset.actions[:200], strict=True)
    ]
    assert np.mean(right) > 0.85
    model.learn(128)
    with pytest.raises(ConfigError, match="before anything else"):
        model.pretrain(dataset)
    other = GAIL("MlpPolicy", "CartPole-v1", dataset)
    with pytest.raises(ConfigError, match="that the model was given"):
        other.pretrain(ExpertDataset(expert, verbose=0))
    assert other.pretrain(dataset, n_epochs=1) is other
    assert other.agent.policy is not None


def test_continuous_experts_pretrain_sac_without_rewards(tmp_path: Path) -> None:
    def swing(obs: np.ndarray) -> np.ndarray:
        return np.clip(-obs[1:2] * 2, -2, 2)

    generate_expert_traj(swing, tmp_path / "swing.npz", "Pendulum-v1", n_episodes=2)
    dataset = ExpertDataset(tmp_path / "swing.npz", verbose=0)
    model = SAC("MlpPolicy", "Pendulum-v1", seed=0).pretrain(dataset, n_epochs=1)
    action, _ = model.predict(np.array([1.0, 0, 0], np.float32))
    assert action.shape == (1,)


def test_policies_that_remember_and_those_that_do_not_exist() -> None:
    model = PPO2("MlpLstmPolicy", "CartPole-v1", slots=2, rows=64)
    assert model.agent.config.net.memory == 64
    with pytest.raises(ConfigError, match="expected one of MlpPolicy"):
        PPO2("LnMlpPolicy", "CartPole-v1")
