"""Being taken for the demonstrator."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from understudy.data.batch import Batch
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.data.subsample import subsample, wholes
from understudy.errors import DemoError
from understudy.nets.discriminator import DiscriminatorConfig
from understudy.ops.product import Product
from understudy.ops.soft_product import SoftProduct
from understudy.rewards.gail import GAIL, GAILConfig
from worlds import ACTION_KINDS, episode_of, toy_demos, toy_spec

F32 = np.float32
SPEC = Spec(obs={"obs": Obs(kind="vector", shape=(2,))}, action=ActionSpec(branches=(2,)))


def episode(steps, rng, at=(1.0, 0.0), choice=1, end=End.TERMINATED, **facts):
    seen = np.array(at) + 0.1 * rng.standard_normal((steps + 1, 2))
    return episode_of(SPEC, seen, discrete=np.full(steps, choice), end=end, **facts)


def demos_at(at=(1.0, 0.0), choice=1, episodes=6, seed=0, end=End.TERMINATED):
    rng = np.random.default_rng(seed)
    return Demos(SPEC, [episode(10, rng, at, choice, end) for _ in range(episodes)])


def lived(spec, dist, demos, *, rows=32, shown=None, seed=0):
    """Rows of demonstrations as a learner's batch `[rows, B]`, its last row only looked at."""
    rng = np.random.default_rng(seed)
    r = demos.rows()
    index = rng.integers(0, len(r) - 1, (1, rows))
    both = np.concatenate([index, index + 1])
    return Batch(
        obs={name: x[both] for name, x in r.obs.items()},
        code=dist.encode(r.action.at(index)),
        acted=r.acted[both].astype(F32),
        fresh=r.fresh[both],
        reward=np.zeros((1, rows), F32),
        terminated=np.zeros((1, rows), bool),
        shown=np.zeros(rows, F32) if shown is None else shown,
    )


def signal_of(demos, seed=0, spec=SPEC, dist=None, net=None, **changes):
    net = DiscriminatorConfig(hidden=(16,)) if net is None else net
    config = GAILConfig(net=net, learning_rate=1e-2, penalty=0.1, **changes)
    return GAIL(spec, dist or Product(spec.action), demos, config, np.random.default_rng(seed))


def taught(signal, batch, times=150):
    for _ in range(times):
        figures = signal.update(batch)
    return {name: float(x) for name, x in figures.items()}


DIST = Product(SPEC.action)


def test_rows_like_those_shown_earn_more():
    signal = signal_of(demos_at((1, 0)), offset="none")
    away = lived(SPEC, DIST, demos_at((-1, 0), seed=1))
    alike = lived(SPEC, DIST, demos_at((1, 0), seed=2))
    figures = taught(signal, away)
    assert signal.reward(alike).mean() > 0 > signal.reward(away).mean()
    assert figures["accuracy/shown"] == figures["accuracy/lived"] == 1
    assert figures["accuracy/held_out"] == 1, "of episodes that it has not learned from"
    assert figures["alarm"] == 0
    assert figures["logit/shown"] > 0 > figures["logit/lived"]


@pytest.mark.parametrize(("sees", "told"), [("actions", True), ("states", False)])
def test_only_who_sees_actions_can_tell_by_them(sees, told):
    net = DiscriminatorConfig(hidden=(16,), sees=sees)
    signal = signal_of(demos_at(choice=1), net=net, offset="none")
    figures = taught(signal, lived(SPEC, DIST, demos_at(choice=0, seed=1)))
    assert (figures["accuracy/lived"] > 0.95) == told
    assert abs(figures["logit/lived"]) > 1 if told else abs(figures["logit/lived"]) < 1


def moving(step, seed):
    """Single steps up or down, from anywhere: places alone say nothing."""
    starts = np.random.default_rng(seed).uniform(-1, 1, (60, 1, 2))
    seen = starts + np.array([[0, 0], [step, 0]])
    return Demos(SPEC, [episode_of(SPEC, s, discrete=[0], end=End.TRUNCATED) for s in seen])


@pytest.mark.parametrize(("sees", "told"), [("pairs", True), ("states", False)])
def test_only_who_sees_pairs_can_tell_by_where_things_go(sees, told):
    net = DiscriminatorConfig(hidden=(32, 32), sees=sees)
    signal = signal_of(moving(0.5, 0), net=net, offset="none", mixed=0)
    figures = taught(signal, lived(SPEC, DIST, moving(-0.5, 1), rows=120), 200)
    assert (figures["accuracy/held_out"] > 0.9) == told
    assert (figures["accuracy/lived"] > 0.9) == told


def test_pairs_whose_second_half_is_unknown_are_left_out():
    rng = np.random.default_rng(0)
    demos = Demos(SPEC, [episode(4, rng, final_obs_known=False), episode(4, rng)])
    net = DiscriminatorConfig(sees="pairs")
    assert signal_of(demos, net=net).shown.rows == 7
    assert signal_of(demos).shown.rows == 8


def test_demonstrations_in_a_batch_are_not_taken_for_the_policys_own():
    demos, spare = demos_at((1, 0)), lived(SPEC, DIST, demos_at((1, 0), seed=3))
    one, other = signal_of(demos), signal_of(demos)
    own = lived(SPEC, DIST, demos_at((-1, 0), seed=1))
    mixed = replace(
        own,
        obs={"obs": np.concatenate([own.obs["obs"], spare.obs["obs"]], 1)},
        **{
            name: np.concatenate([getattr(own, name), getattr(spare, name)], 1)
            for name in ("code", "acted", "fresh", "reward", "terminated")
        },
        shown=np.repeat(np.array([0, 1], F32), 32),
    )
    mixed.terminated[:, 32:] = True
    for _ in range(5):
        one.update(own)
        other.update(mixed)
    assert (one.net.flat.value == other.net.flat.value).all()
    assert one.offset == other.offset
    assert other.reward(mixed).shape == (1, 64), "but they are rewarded"
    assert one.update(replace(own, shown=np.ones(32, F32))) == {}


def test_rows_on_which_nothing_was_done_earn_nothing_and_teach_nothing():
    batch = lived(SPEC, DIST, demos_at((-1, 0)))
    batch.acted[0, :10] = 0
    signal, other = (signal_of(demos_at()) for _ in range(2))
    assert (signal.reward(batch)[0, :10] == 0).all()
    assert (signal.reward(batch)[0, 10:][batch.acted[0, 10:] > 0] != 0).all()
    changed = replace(batch, obs={"obs": batch.obs["obs"].copy()})
    changed.obs["obs"][0, :10] = 99
    signal.update(batch)
    other.update(changed)
    assert (signal.net.flat.value == other.net.flat.value).all()


def test_a_reward_is_the_logit_and_the_offset_in_its_scale():
    # Episodes of 10 steps that all terminate were shown; of 40 rows 2 terminated, so c = log(1/2).
    signal = signal_of(demos_at(), scale=0.1)
    batch = lived(SPEC, DIST, demos_at(seed=1), rows=40)
    batch.acted[:] = 1
    batch.terminated[0, :2] = True
    signal.update(batch)
    assert signal.offset == pytest.approx(math.log(10 / 20))
    signal.net.flat.value[:] = 0
    np.testing.assert_allclose(signal.reward(batch), 0.1 * math.log(0.5), rtol=1e-6)
    signal.net.flat.value[-1] = 3.0  # the last bias: the logit of every row
    np.testing.assert_allclose(signal.reward(batch), 0.1 * (3 + math.log(0.5)), rtol=1e-6)
    signal.net.flat.value[-1] = 99.0
    np.testing.assert_allclose(signal.reward(batch), 0.1 * (5 + math.log(0.5)), rtol=1e-6)


@pytest.mark.parametrize(
    ("family", "expected"),
    [("softplus", math.log1p(math.e)), ("log_prob", -math.log1p(1 / math.e))],
)
def test_other_families_have_no_offset(family, expected):
    signal = signal_of(demos_at(), reward=family, offset="none", scale=1.0)
    signal.net.flat.value[:] = 0
    signal.net.flat.value[-1] = 1.0
    batch = lived(SPEC, DIST, demos_at(seed=1), rows=4)
    batch.acted[:] = 1
    np.testing.assert_allclose(signal.reward(batch), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="offset=none"):
        GAILConfig(reward=family)


def test_judging_changes_nothing():
    signal, batch = signal_of(demos_at()), lived(SPEC, DIST, demos_at((-1, 0)))
    taught(signal, batch, 3)
    before = signal.state_dict()
    first = signal.reward(batch)
    assert (first == signal.reward(batch)).all()
    assert before["rng"] == signal.state_dict()["rng"]
    assert not signal.net.flat.grad.any()


def test_its_state_is_all_that_its_future_depends_on():
    demos, batch = demos_at(), lived(SPEC, DIST, demos_at((-1, 0)))
    one, other = signal_of(demos), signal_of(demos)
    taught(one, batch, 7)
    other.load_state_dict(one.state_dict())
    for _ in range(3):
        told = [{n: float(x) for n, x in s.update(batch).items()} for s in (one, other)]
        assert told[0] == told[1]
    assert (one.reward(batch) == other.reward(batch)).all()
    assert (one.net.flat.value == other.net.flat.value).all()


def test_a_discriminator_that_knows_its_rows_by_heart_raises_the_alarm():
    # Nothing tells who acted but each single row, and there is no penalty.
    rng = np.random.default_rng(0)

    def noise(seed):
        r = np.random.default_rng(seed)
        return Demos(
            SPEC,
            [
                episode_of(SPEC, r.standard_normal((6, 2)), discrete=np.zeros(5), end=End.TRUNCATED)
                for _ in range(10)
            ],
        )

    config = GAILConfig(
        net=DiscriminatorConfig(hidden=(64, 64)), penalty=0, learning_rate=1e-2, held_out=0.5
    )
    signal = GAIL(SPEC, DIST, noise(1), config, rng)
    figures = taught(signal, lived(SPEC, DIST, noise(2), rows=25), 250)
    assert figures["accuracy/shown"] > 0.85
    assert figures["overfit"] == pytest.approx(
        figures["accuracy/shown"] - figures["accuracy/held_out"]
    )
    assert figures["alarm"] == 1


def test_whole_episodes_are_held_out_also_of_parts():
    demos = subsample(demos_at(episodes=10), 3, np.random.default_rng(0))
    signal = signal_of(demos, held_out=0.3)
    assert signal.held_out is not None
    _, which = wholes(demos)
    steps = demos.rows()

    def origin(rows):
        seen = {x.tobytes() for x in rows.obs["obs"]}
        return {
            int(which[e])
            for x, e, done in zip(steps.obs["obs"], steps.episode, steps.acted, strict=True)
            if done and x.tobytes() in seen
        }

    assert len(origin(signal.held_out)) == 3
    assert len(origin(signal.shown)) == 7
    assert signal_of(demos_at(episodes=4)).held_out is None, "too few"


def test_a_careful_demonstrator_is_measured_along_with_a_beginner():
    still = Demos(
        SPEC,
        [
            episode_of(
                SPEC,
                np.tile([[1, 1.0]], (9, 1))
                + 1e-4 * np.random.default_rng(0).standard_normal((9, 2)),
                discrete=np.zeros(8),
                end=End.TRUNCATED,
            )
        ],
    )
    batch = lived(SPEC, DIST, demos_at((-1, 0)))
    alone, mixed = signal_of(still, mixed=0), signal_of(still, mixed=20)
    for signal in (alone, mixed):
        signal.update(batch)
    seen = {name: x[:1] for name, x in batch.obs.items()}
    units = [np.abs(s.net.see(seen, batch.code, seen)[..., :2]).max() for s in (alone, mixed)]
    assert units[0] == 10, "cut off"
    assert units[1] < 4
    before = mixed.net.see(seen, batch.code, seen)
    mixed.update(lived(SPEC, DIST, demos_at((5, 5))))
    assert (mixed.net.see(seen, batch.code, seen) == before).all(), "the unit is settled"


@pytest.mark.parametrize("dist", [Product, SoftProduct])
@pytest.mark.parametrize("action", ACTION_KINDS)
def test_every_kind_of_action_is_told_apart(action, dist):
    rng = np.random.default_rng(0)
    spec = toy_spec("vector", action)
    shown = toy_demos("vector", action, 6, 12, rng)
    # The same places, but what is done has nothing to do with them.
    shuffled = [
        replace(e, action=e.action.at(rng.permutation(len(e))))
        for e in toy_demos("vector", action, 20, 12, rng)
    ]
    product = dist(spec.action)
    net = DiscriminatorConfig(hidden=(32, 32))
    signal = signal_of(shown, spec=spec, dist=product, net=net, updates=4)
    figures = taught(signal, lived(spec, product, Demos(spec, shuffled), rows=200), 60)
    assert figures["accuracy/shown"] > 0.85
    assert figures["accuracy/lived"] > 0.6


def test_what_is_drawn_beyond_the_bounds_tells_nothing():
    spec = toy_spec("vector", "continuous")
    demos = toy_demos("vector", "continuous", 6, 12, np.random.default_rng(0))
    signal = signal_of(demos, spec=spec)
    batch = lived(spec, Product(spec.action), demos)
    at, beyond = (replace(batch, code=np.full_like(batch.code, x)) for x in (1.0, 7.0))
    assert (signal.reward(at) == signal.reward(beyond)).all()


@pytest.mark.parametrize("kind", ["image", "entities", "all"])
@pytest.mark.parametrize(
    "changes", [{}, {"lipschitz": 1.0}, {"dropout": 0.3}, {"bottleneck": 4}], ids=str
)
def test_pictures_and_lists_are_told_apart_too(kind, changes):
    demos, others = (
        toy_demos(kind, "discrete", 6, 8, np.random.default_rng(seed)) for seed in (0, 1)
    )
    narrow = {"bottleneck": changes.pop("bottleneck")} if "bottleneck" in changes else {}
    net = DiscriminatorConfig(hidden=(16,), entity_width=8, **narrow)
    signal = signal_of(demos, spec=demos.spec, net=net, offset="none", **changes)
    batch = lived(demos.spec, Product(demos.spec.action), others)
    # What is lived does the opposite of what is shown there.
    batch = replace(batch, code=batch.code[..., ::-1].copy())
    before = taught(signal, batch, 1)
    after = taught(signal, batch, 60)
    assert after["loss"] < before["loss"]
    assert np.isfinite(signal.reward(batch)).all()
    other = signal_of(demos, seed=9, spec=demos.spec, net=net, offset="none", **changes)
    other.load_state_dict(signal.state_dict())
    assert (other.reward(batch) == signal.reward(batch)).all()


def test_half_of_a_row_is_hidden_while_it_learns_and_none_when_it_judges(monkeypatch):
    batch = lived(SPEC, DIST, demos_at((-1, 0), seed=1))
    signal = signal_of(demos_at((1, 0)), dropout=0.5)
    told, tell = [], signal.net.tell

    def listening(x, rng):
        told.append(x.copy())
        return tell(x, rng)

    monkeypatch.setattr(signal.net, "tell", listening)
    taught(signal, batch, 50)
    hidden = np.stack([x == 0 for x in told])[..., :2]  # what was done has zeros of its own
    of_lived, of_shown = np.split(hidden, 2, axis=1)
    assert of_lived.mean() == pytest.approx(0.5, abs=0.05)
    assert of_shown.mean() == pytest.approx(0.5, abs=0.05)
    assert (signal.reward(batch) == signal.reward(batch)).all()


def test_a_bound_on_stretching_bounds_how_sure_it_gets():
    batch = lived(SPEC, DIST, demos_at((-1, 0), seed=1))
    free, bounded = (
        taught(signal_of(demos_at((1, 0)), lipschitz=most), batch, 300) for most in (None, 0.5)
    )
    assert bounded["logit/shown"] < 0.5 * free["logit/shown"]


def test_demonstrations_that_do_not_fit_are_refused():
    with pytest.raises(DemoError, match="do not fit the environment"):
        signal_of(toy_demos("vector", "binary", 2, 4, np.random.default_rng(0)))
    with pytest.raises(DemoError, match="no step"):
        signal_of(Demos(SPEC, [episode(0, np.random.default_rng(0))]))
    with pytest.raises(DemoError, match="offset=none"):
        signal_of(demos_at(end=End.UNKNOWN))
    signal_of(demos_at(end=End.UNKNOWN), offset="none")


def test_a_batch_that_does_not_look_ahead_is_refused():
    batch = lived(SPEC, DIST, demos_at()).rows(0, 1)
    with pytest.raises(ValueError, match="look ahead"):
        signal_of(demos_at()).reward(batch)


def test_the_penalty_flattens_what_is_told():
    batch = lived(SPEC, DIST, demos_at((-1, 0), seed=1))
    steep, flat = (
        GAIL(
            SPEC,
            DIST,
            demos_at(),
            GAILConfig(penalty=weight, learning_rate=1e-2),
            np.random.default_rng(0),
        )
        for weight in (0.0, 10.0)
    )
    tall, low = (taught(s, batch)["logit/shown"] for s in (steep, flat))
    assert tall > 3 * low > 0
