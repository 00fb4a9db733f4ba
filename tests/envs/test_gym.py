"""Gymnasium's environments keep the contract, and what they do wrong is said in one line."""

from types import SimpleNamespace
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.actor import Fixed
from understudy.data.episode import ActedBy
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.envs.actors import noisy, random_actor
from understudy.envs.check import check_env
from understudy.envs.gym import GymEnv
from understudy.errors import EnvError

gs: Any = gymnasium.spaces


class Count(gymnasium.Env):
    """Counts its steps up to five; what is wrong with it can be set."""

    metadata: Any = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(self, render_mode=None, **wrong):
        self.observation_space = wrong.get("space", gs.Box(-1e3, 1e3, (2,)))
        self.action_space = wrong.get("actions", gs.Discrete(2))
        self.render_mode, self.wrong, self.got, self.closed = render_mode, wrong, [], 0
        self.seeds: list[Any] = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.seeds.append(seed)
        self.t, self.start = 0, self.np_random.random()
        return np.array([0, self.start], np.float32), {}

    def step(self, action):
        self.got.append(action)
        self.t += 1
        at = self.t == 3
        if at and "error" in self.wrong:
            raise self.wrong["error"]
        if at and "result" in self.wrong:
            return self.wrong["result"]
        obs = self.wrong["obs"] if at and "obs" in self.wrong else [self.t, self.start]
        reward = self.wrong["reward"] if at and "reward" in self.wrong else 1.0
        return np.array(obs, np.float32), reward, self.t == 5, False, {}

    def render(self):
        return np.zeros((4, 6, 3), np.uint8)

    def close(self):
        self.closed += 1


def acting(env, steps, seed=0):
    """Rows of every moment: fresh, ended, reward, first number seen."""
    actor = random_actor(env.behaviors["agent"], 0)
    moment, rows = env.reset(seed)["agent"], []
    for _ in range(steps):
        rows.append((moment.fresh.copy(), moment.ended.copy(), moment.reward.copy()))
        moment = env.step({"agent": actor.act(moment.obs, {}, moment.fresh)[0]})["agent"]
    return rows


@pytest.mark.parametrize(
    ("env_id", "kwargs"),
    [
        ("CartPole-v1", {}),
        ("Pendulum-v1", {}),
        ("FrozenLake-v1", {}),
        ("Blackjack-v1", {}),
        ("LunarLander-v3", {"continuous": True}),
    ],
)
def test_contract_holds(env_id, kwargs):
    assert check_env(GymEnv(env_id, 3, make_kwargs=kwargs), steps=250) == []


def test_ended_slot_begins_again_at_its_next_moment():
    env = GymEnv(Count, 2)
    rows = acting(env, 13)
    fresh = [row[0].tolist() for row in rows]
    ended = [row[1].tolist() for row in rows]
    reward = [row[2].tolist() for row in rows]
    # An observation of the reset, five steps, and the next reset.
    assert [f[0] for f in fresh] == ([True] + [False] * 5) * 2 + [True]
    assert [e[0] for e in ended] == ([False] * 5 + [True]) * 2 + [False]
    assert [r[0] for r in reward] == ([0.0] + [1.0] * 5) * 2 + [0.0]
    # Two of the thirteen actions came after an end and never reached the environment.
    assert len(env._envs[0].got) == 11


def test_truncation_is_told_from_termination():
    env = GymEnv(lambda: gymnasium.wrappers.TimeLimit(Count(), 3))
    env.reset(0)
    action = {"agent": Action(np.zeros((1, 0), np.float32), np.zeros((1, 1), np.int64))}
    for _ in range(3):
        moment = env.step(action)["agent"]
    assert moment.truncated.tolist() == [True]
    assert moment.terminated.tolist() == [False]


def test_seeds_depend_on_slot_and_episode_but_not_on_the_number_of_slots():
    few, many = GymEnv(Count, 1), GymEnv(Count, 3)
    acting(few, 800, seed=7)
    acting(many, 800, seed=7)
    seeds = [env.seeds for env in many._envs]
    assert few._envs[0].seeds == seeds[0]
    assert len(seeds[0]) > 128
    drawn = [seed for slot in seeds for seed in slot]
    assert len(set(drawn)) == len(drawn)
    assert all(0 <= seed < 2**31 for seed in drawn)
    assert many.seeds("agent") == [slot[-1] for slot in seeds]


def test_reset_without_a_seed_draws_one_and_says_it():
    env = GymEnv(Count, 1)
    env.reset()
    first = env.seeds("agent")
    env.reset()
    assert first != env.seeds("agent")
    assert first != [None]


def test_actions_are_clipped_and_cast_for_the_environment_alone():
    env = GymEnv(Count, make_kwargs={"actions": gs.Box(-1, 2, (2,), dtype=np.float64)})
    env.reset(0)
    action = Action(np.array([[-5.0, 5.0]]), np.zeros((1, 0), np.int64))
    env.step({"agent": action})
    assert env._envs[0].got[0].tolist() == [-1, 2]
    assert env._envs[0].got[0].dtype == np.float64
    assert action.continuous.tolist() == [[-5, 5]]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"obs": [np.nan, 0]}, ["observation 'obs' is nan at [0]", "slot 0, step 3"]),
        ({"obs": [0, -np.inf]}, ["observation 'obs' is -inf at [1]"]),
        ({"obs": [0, 0, 0]}, ["observation 'obs' has shape [3]", "[2]", "step 3"]),
        ({"obs": 1}, ["observation 'obs' has shape []"]),
        ({"reward": np.nan}, ["reward is nan", "step 3"]),
        ({"reward": float("inf")}, ["reward is inf"]),
        ({"reward": None}, ["slot 0, step 3", "reward is nan"]),
        ({"reward": "much"}, ["slot 0, step 3", "ValueError"]),
        ({"error": KeyError("door")}, ["KeyError: 'door'", "test_gym.py:", "step 3"]),
        ({"result": (np.zeros(2), 0.0, False, {})}, ["expected 5, got 4", "5 values"]),
    ],
    ids=str,
)
def test_what_an_environment_does_wrong_is_said_with_slot_and_step(wrong, words):
    env = GymEnv(Count, make_kwargs=wrong)
    with pytest.raises(EnvError) as caught:
        acting(env, 5)
    assert all(word in str(caught.value) for word in ["Count", *words]), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GymEnv("CartPol-v1"), ["CartPol", "Did you mean", "CartPole"]),
        (lambda: GymEnv("CartPole-v9"), ["v9", "`v1`"]),
        (lambda: GymEnv("LunarLander-v2"), ["deprecated", "LunarLander-v3"]),
        (lambda: GymEnv("Nothing/Here-v0"), ["Nothing", "module:Nothing/Here-v0"]),
        (lambda: GymEnv("no_such_module:Here-v0"), ["No module named 'no_such_module'"]),
        (lambda: GymEnv("what is this"), ["Malformed"]),
        (lambda: GymEnv("CartPole-v1", make_kwargs={"wheels": 3}), ["wheels", "CartPole"]),
        (lambda: GymEnv("CartPole-v1", slots=0), ["slots=0"]),
        (lambda: GymEnv(Count(), 2), ["Count", "2 slots"]),
        (lambda: GymEnv(3), ["int"]),
        (lambda: GymEnv(dict), ["dict", "gymnasium.Env"]),
        (lambda: GymEnv(Count, make_kwargs={"space": gs.Text(3)}), ["Count", "Text"]),
        (lambda: GymEnv(gymnasium.make_vec("CartPole-v1", 2)), ["vector environment"]),
    ],
)
def test_what_cannot_be_made_is_said_in_one_line(make, words):
    with pytest.raises(EnvError) as caught:
        make()
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("module", "extra"), [("Box2D", "box2d"), ("mujoco", "mujoco")])
def test_missing_simulator_names_the_extra(monkeypatch, module, extra):
    def make(*args, **kwargs):
        try:
            raise ModuleNotFoundError(f"No module named '{module}'", name=module)
        except ModuleNotFoundError as error:
            raise gymnasium.error.DependencyNotInstalled("not installed") from error

    monkeypatch.setattr(gymnasium, "make", make)
    with pytest.raises(EnvError, match=rf'pip install "understudy\[{extra}\]"'):
        GymEnv("Thing-v0")


def test_two_slots_cannot_share_an_environment():
    env = Count()
    with pytest.raises(EnvError, match="same one twice"):
        GymEnv(lambda: env, 2)


@pytest.mark.parametrize(
    "action",
    [
        Action(np.zeros((2, 0), np.float32), np.array([[0], [2]])),
        Action(np.zeros((1, 0), np.float32), np.array([[0]])),
        Action(np.zeros((2, 1), np.float32), np.array([[0], [1]])),
    ],
)
def test_action_that_does_not_fit_is_refused(action):
    env = GymEnv(Count, 2)
    env.reset(0)
    with pytest.raises(EnvError, match="Count"):
        env.step({"agent": action})
    with pytest.raises(EnvError, match="agent"):
        env.step({"other": action})


def test_render_makes_a_picture_of_the_first_slot_only():
    env = GymEnv(Count, 2, render_mode="rgb_array")
    env.reset(0)
    picture = env.render()
    assert picture is not None
    assert picture.shape == (4, 6, 3)
    assert [e.render_mode for e in env._envs] == ["rgb_array", None]
    assert GymEnv(Count).render() is None


def test_close_reaches_every_environment_once():
    env = GymEnv(Count, 2)
    env.close()
    env.close()
    assert [e.closed for e in env._envs] == [1, 1]


def test_versions_name_the_simulator():
    env = GymEnv("LunarLander-v3")
    assert set(env.versions) == {"gymnasium", "Box2D"}
    assert GymEnv("CartPole-v1").versions == {"gymnasium": gymnasium.__version__}


def test_an_unversioned_name_is_recorded_with_its_version():
    with pytest.warns(UserWarning, match="latest"):
        assert GymEnv("CartPole").env_id == "CartPole-v1"


# check_env itself: an environment that breaks each rule is found out.


class Broken(GymEnv):
    """A right environment whose moments are changed on the way."""

    def __init__(self, change):
        super().__init__(Count, 2)
        self.change, self.calls, self.closings = change, 0, 0

    def reset(self, seed=None):
        self.calls = 0
        return self.changed(super().reset(seed))

    def step(self, actions):
        self.calls += 1
        return self.changed(super().step(actions))

    def changed(self, moments):
        moment = moments["agent"]
        parts: Any = SimpleNamespace(
            **{name: getattr(moment, name) for name in type(moment).__slots__}
        )
        parts.ended = moment.ended
        self.change(parts, self.calls)
        return {"agent": parts}


def set_to(name, value):
    return lambda moment, call: setattr(moment, name, value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_to("fresh", np.zeros(2, bool)), "first moment of a slot of 'agent' is not fresh"),
        (set_to("fresh", np.ones(2, bool)), "fresh although its episode had not ended"),
        (set_to("reward", np.ones(2, np.float32)), "reward of 'agent' is not 0 where fresh"),
        (set_to("reward", np.ones(2)), "float64 [2], expected float32 [2]"),
        (set_to("reward", np.full(2, np.nan, np.float32)), "not finite"),
        (set_to("obs", {}), "sees []"),
        (set_to("slots", np.array([0, 0])), "speaks twice"),
        (set_to("slots", np.array([1, 2])), "within 0 to 1"),
        (
            lambda m, call: m.obs["obs"].__setitem__(0, np.random.default_rng().random(2)),
            "same seed observation 'obs' of 'agent' differs at step 0",
        ),
    ],
)
def test_check_finds_what_breaks_the_contract(change, words):
    assert any(words in problem for problem in check_env(Broken(change), steps=20))


def test_check_says_when_step_raises():
    problems = check_env(GymEnv(Count, make_kwargs={"error": ValueError("no")}), steps=20)
    assert any("step raised EnvError" in problem for problem in problems)


# Actors of chance.


def test_random_actions_are_spread_over_the_bounds():
    spec = Spec(
        obs={"obs": Obs(kind="vector", shape=(1,))},
        action=ActionSpec(
            continuous=4,
            low=(-2, -np.inf, 1, -np.inf),
            high=(4, 3, np.inf, np.inf),
            branches=(3, 2),
        ),
    )
    actor = random_actor(spec, 1)
    action, _ = actor.act({"obs": np.zeros((4000, 1))}, {}, np.zeros(4000, bool))
    x = action.continuous
    assert x.dtype == np.float32
    # Uniform on [-2, 4]: mean 1, deviation 6 / sqrt(12) = 1.73.
    assert abs(x[:, 0].mean() - 1) < 0.1
    assert abs(x[:, 0].std() - 1.73) < 0.05
    assert x[:, 1].max() <= 3
    assert x[:, 2].min() >= 1
    assert abs(x[:, 3].std() - 1) < 0.05
    for branch, size in enumerate((3, 2)):
        share = np.bincount(action.discrete[:, branch], minlength=size) / 4000
        assert np.abs(share - 1 / size).max() < 0.03
    assert actor.acted_by is ActedBy.RANDOM


def test_random_actions_are_allowed_ones():
    spec = Spec(
        obs={"mask": Obs(kind="mask", shape=(5,), dtype="bool")},
        action=ActionSpec(branches=(3, 2)),
    )
    mask = np.tile(np.array([False, True, True, True, False]), (200, 1))
    action, _ = random_actor(spec).act({"mask": mask}, {}, np.zeros(200, bool))
    assert set(action.discrete[:, 0]) == {1, 2}
    assert set(action.discrete[:, 1]) == {0}


def test_noise_disturbs_what_is_done_and_keeps_what_was_meant():
    spec = Spec(
        obs={"obs": Obs(kind="vector", shape=(1,))},
        action=ActionSpec(continuous=1, low=(0,), high=(4,), branches=(4,)),
    )
    meant = Action(np.full((3000, 1), 2, np.float32), np.ones((3000, 1), np.int64))
    actor = noisy(Fixed(lambda obs: meant), spec, 0.2)
    assert actor.proposed is None
    done, _ = actor.act({}, actor.start(3000), np.zeros(3000, bool))
    assert actor.proposed is meant
    assert actor.acted_by is ActedBy.SCRIPT
    # Half the range is 2, a fifth of it 0.4; three of four random choices are other ones.
    assert abs(done.continuous.std() - 0.4) < 0.03
    assert 0 <= done.continuous.min() <= done.continuous.max() <= 4
    assert abs((done.discrete != 1).mean() - 0.15) < 0.03
    assert noisy(Fixed(lambda obs: meant), spec, 0).act({}, {}, np.zeros(3000, bool))[0].at(
        0
    ).discrete.tolist() == [1]


class Counted(gymnasium.Env):
    """Sees at most four things, as it says."""

    metadata: ClassVar[dict[str, Any]] = {"max_entities": 4}
    observation_space = gymnasium.spaces.Sequence(gymnasium.spaces.Box(-1, 1, (2,)), stack=True)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros((3, 2), np.float32), {}

    def step(self, action):
        return np.zeros((4, 2), np.float32), 0.0, False, False, {}


def test_an_environment_may_say_how_many_entities_it_shows_at_most(monkeypatch):
    def shape(**options):
        (spec,) = GymEnv(Counted, **options).behaviors.values()
        (obs,) = (o for o in spec.obs.values() if o.kind == "entities")
        return obs.shape

    assert shape() == (4, 2)
    assert shape(max_entities=9) == (9, 2)
    monkeypatch.setattr(Counted, "metadata", {"max_entities": "four"})
    with pytest.raises(EnvError, match="max_entities is 'four': expected a whole number"):
        GymEnv(Counted)
