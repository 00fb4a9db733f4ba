"""Names of NerveX and DI-engine: the pipeline of their tutorial runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from understudy.data.episode import End
from understudy.data.formats.door import load_demos
from understudy.errors import ConfigError, DemoError
from understudy.shims.ding import (
    collect_demo_data,
    collect_episodic_demo_data,
    serial_pipeline,
    serial_pipeline_il,
)

MAIN = {"env": {"stop_value": 100, "n_evaluator_episode": 5}}
CREATE = {"env": {"type": "cartpole"}, "policy": {"type": "ppo"}}


def balance(obs: np.ndarray) -> int:
    """An expert of CartPole: against the fall."""
    return int(obs[2] + 0.1 * obs[3] > 0)


def test_exactly_as_many_steps_are_collected_as_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "expert_data.pkl"
    demos = collect_demo_data((MAIN, CREATE), 0, 700, path, model=balance)
    assert demos.num_steps == 700
    assert demos.episodes[-1].end is End.OPEN
    rows = pickle.loads(path.read_bytes())
    assert len(rows) == 700
    assert all(balance(row["obs"].numpy()) == row["action"].item() for row in rows)
    assert load_demos(path).lengths.tolist() == demos.lengths.tolist()
    with pytest.raises(DemoError, match="exists already"):
        collect_demo_data((MAIN, CREATE), 0, 10, path, model=balance)


def test_whole_episodes_are_collected_as_lists(tmp_path: Path) -> None:
    path = tmp_path / "episodes.pkl"
    demos = collect_episodic_demo_data(MAIN, 0, 3, path, "CartPole-v1", balance)
    assert [len(rows) for rows in pickle.loads(path.read_bytes())] == demos.lengths.tolist()
    assert len(demos) == 3


def test_the_pipeline_of_their_tutorial_runs(tmp_path: Path) -> None:
    path = tmp_path / "expert_data.pkl"
    expert = serial_pipeline((MAIN, CREATE), seed=0, max_env_step=500, slots=2, rows=64)
    state = expert.collect_mode.state_dict()
    collect_demo_data((MAIN, CREATE), 0, 100, path, state_dict=state)
    policy, converged = serial_pipeline_il((MAIN, CREATE), 314, path, max_iterations=50)
    assert policy.agent.predict(np.zeros(4, np.float32))[0] in (0, 1)
    assert not converged


def test_a_good_expert_is_imitated_until_it_converges(tmp_path: Path) -> None:
    path = tmp_path / "expert_data.pkl"
    collect_demo_data((MAIN, CREATE), 0, 2000, path, model=balance)
    _, converged = serial_pipeline_il((MAIN, CREATE), 314, path, max_iterations=1000)
    assert converged


def test_what_a_configuration_does_not_say_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "expert_data.pkl"
    with pytest.raises(ConfigError, match="expected a Gymnasium id"):
        collect_demo_data({"env": {}}, 0, 5, path, model=balance)
    with pytest.raises(ConfigError, match="who shall be recorded"):
        collect_demo_data((MAIN, CREATE), 0, 5, path)
    with pytest.raises(ConfigError, match=r"what Trained\.state_dict"):
        collect_demo_data((MAIN, CREATE), 0, 5, path, state_dict={"model": 1})
    with pytest.raises(ConfigError, match="collect_count=0"):
        collect_demo_data((MAIN, CREATE), 0, 0, path, model=balance)
    with pytest.raises(ConfigError, match="expected one of ppo, sac"):
        serial_pipeline((MAIN, {**CREATE, "policy": {"type": "impala"}}))
    with pytest.raises(ConfigError, match="stop_value"):
        serial_pipeline_il({"env": {"env_id": "CartPole-v1"}}, 0, path)
    assert not path.exists()
