"""Every diagnosis finds what was planted, and is silent on demonstrations that are as they should.

A made-up cart that is pulled back to the middle: sound from the beginning, so that whatever a
diagnosis finds is what was planted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.demos import Demos, Provenance
from understudy.data.diagnoses import nearness
from understudy.data.diagnoses.evidence import Evidence, gather
from understudy.data.diagnoses.finding import Finding, Severity
from understudy.data.diagnoses.nearness import clear
from understudy.data.diagnoses.table import DIAGNOSES, diagnose
from understudy.data.diagnoses.task import Again, Task
from understudy.data.episode import ActedBy, End, Episode
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError

CART = Spec(
    obs={"cart": Obs(kind="vector", shape=(2,))},
    action=ActionSpec(continuous=1, low=(-1,), high=(1,)),
)
SEEDS = range(3)
WRONG, DOUBTFUL = Severity.WRONG, Severity.DOUBTFUL


def push(seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(-1.2 * seen[0] - 0.9 * seen[1] + rng.normal(0, 0.05, 1), -1, 1)


def doubting(seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(push(seen, rng) + rng.normal(0, 0.4, 1), -1, 1)


def drive(
    rng: np.random.Generator,
    steps: int,
    rule: Callable[..., Any] = push,
    start: float | None = None,
) -> Episode:
    """One episode of the cart under a rule of what is seen, chance and time."""
    x = np.array([rng.uniform(-2, 2) if start is None else start, rng.normal(0, 0.3)])
    seen, done = [x.copy()], []
    for _ in range(steps):
        a = rule(x, rng)
        x[1] = 0.95 * x[1] + 0.2 * a[0] + rng.normal(0, 0.02)
        x[0] += 0.2 * x[1]
        seen.append(x.copy())
        done.append(a)
    obs = np.array(seen, np.float32)
    return Episode(
        obs={"cart": obs},
        action=Action(np.array(done, np.float32).reshape(steps, 1), np.zeros((steps, 0), np.int64)),
        reward=(0.5 - np.abs(obs[1:, 0])).astype(np.float32),
        end=End.TRUNCATED,
        acted_by=np.full(steps, ActedBy.SCRIPT, np.uint8),
        seed=int(rng.integers(2**31)),
    )


def sound(seed: int, episodes: int = 12, rule: Callable[..., Any] = push) -> Demos:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(35, 55, episodes)
    return Demos(CART, [drive(rng, int(n), rule) for n in lengths], Provenance(format="memory"))


def every(demos: Demos, change: Callable[[Episode], Episode], spec: Spec | None = None) -> Demos:
    return Demos(spec or demos.spec, [change(e) for e in demos], demos.provenance)


def cart_seen(episode: Episode, obs: np.ndarray) -> Episode:
    return replace(episode, obs={"cart": obs.astype(np.float32)})


def does(episode: Episode, continuous: np.ndarray) -> Episode:
    action = Action(continuous.astype(np.float32), episode.action.discrete)
    return replace(episode, action=action)


def with_task(demos: Demos, **facts: Any) -> Evidence:
    return gather(demos, task=Task(**{"env_id": "Cart-v0", "spec": CART, **facts}))


def again(steps: int = 30, **facts: Any) -> Again:
    given: dict[str, Any] = {
        "number": 0,
        "steps": steps,
        "begins": True,
        "matched": {1: steps},
        "next_matched": 0,
        "recorded": np.full(steps, 0.5),
        "received": np.full(steps, 0.5),
    }
    return Again(**{**given, **facts})


# Plants -------------------------------------------------------------------------------------------


class _Refusing(list[Episode]):
    """Episodes of which one cannot be read."""

    def __getitem__(self, index: Any) -> Any:
        if index == 4:
            raise DemoError("file.x: observation 'cart' is nan at step 3")
        return super().__getitem__(index)


def unreadable(seed: int) -> Evidence:
    demos = sound(seed)
    return gather(replace(demos, episodes=_Refusing(demos.episodes)))


def not_finite(seed: int) -> Evidence:
    demos = sound(seed)
    demos.episodes[seed].obs["cart"][3, 1] = np.nan
    demos.episodes[5].obs["cart"][3, 1] = -np.inf
    return gather(demos)


def constant(seed: int) -> Evidence:
    return gather(every(sound(seed), lambda e: cart_seen(e, e.obs["cart"] * [1, 0] + [0, 7])))


def picture_range(seed: int) -> Evidence:
    spec = Spec(
        obs={**CART.obs, "eye": Obs(kind="image", shape=(6, 5, 3), dtype="uint8")},
        action=CART.action,
    )
    rng = np.random.default_rng(seed)

    def look(e: Episode) -> Episode:
        eye = rng.integers(0, 2, (len(e) + 1, 6, 5, 3)).astype(np.uint8)
        return replace(e, obs={**e.obs, "eye": eye})

    return gather(every(sound(seed), look, spec))


def bytes_as_vector(seed: int) -> Evidence:
    spec = Spec(obs={**CART.obs, "eye": Obs(kind="vector", shape=(80,))}, action=CART.action)
    rng = np.random.default_rng(seed)

    def look(e: Episode) -> Episode:
        eye = rng.integers(0, 256, (len(e) + 1, 80)).astype(np.float32)
        return replace(e, obs={**e.obs, "eye": eye})

    return gather(every(sound(seed), look, spec))


def outside_bounds(seed: int) -> Evidence:
    return gather(every(sound(seed), lambda e: does(e, 3 * e.action.continuous)))


def scale(seed: int) -> Evidence:
    wide = replace(CART, action=ActionSpec(continuous=1, low=(-8,), high=(8,)))
    return gather(every(sound(seed), lambda e: e, wide))


def saturated(seed: int) -> Evidence:
    return gather(every(sound(seed), lambda e: does(e, np.sign(e.action.continuous))))


def one_action(seed: int) -> Evidence:
    return gather(
        every(sound(seed), lambda e: does(e, np.full((len(e), 1), 0.25))),
    )


def duplicates(seed: int) -> Evidence:
    demos = sound(seed)
    return gather(replace(demos, episodes=[*demos.episodes, demos.episodes[2]]))


def few_episodes(seed: int) -> Evidence:
    return gather(sound(seed, episodes=1))


def uneven_lengths(seed: int) -> Evidence:
    rng = np.random.default_rng(seed)
    return gather(Demos(CART, [drive(rng, n) for n in [12] * 14 + [900]]))


def worse_than_rest(seed: int) -> Evidence:
    demos = sound(seed, episodes=20)
    worst = demos.episodes[3]
    episodes = [
        replace(worst, reward=np.full(len(worst), -5.0)) if e is worst else e for e in demos
    ]
    return gather(replace(demos, episodes=episodes))


def ends_unknown(seed: int) -> Evidence:
    return gather(every(sound(seed), lambda e: replace(e, end=End.UNKNOWN)))


def limit_as_end(seed: int) -> Evidence:
    rng = np.random.default_rng(seed)
    episodes = [replace(drive(rng, 50), end=End.TERMINATED) for _ in range(10)]
    return gather(Demos(CART, episodes))


def last_unseen(seed: int) -> Evidence:
    return gather(every(sound(seed), lambda e: replace(e, final_obs_known=False)))


def no_rewards(seed: int) -> Evidence:
    return gather(every(sound(seed), lambda e: replace(e, reward=None)))


def constant_rewards(seed: int) -> Evidence:
    return gather(every(sound(seed), lambda e: replace(e, reward=np.zeros_like(e.reward))))


def reward_sign(seed: int) -> Evidence:
    def tagged(e: Episode) -> Episode:
        tag = "success" if e.return_ < middle else "failure"
        return replace(e, tags=(tag,))

    demos = sound(seed, episodes=20)
    middle = float(np.median(demos.returns))
    return gather(every(demos, tagged))


def contradictory(seed: int) -> Evidence:
    return gather(sound(seed, 20, lambda _, rng: rng.uniform(-1, 1, 1)))


def memory_needed(seed: int) -> Evidence:
    """The speed is not seen, and what is done hangs on nothing else."""
    spec = replace(CART, obs={"cart": Obs(kind="vector", shape=(1,))})
    swing = sound(seed, 30, lambda x, _: np.where(x[1] > 0, 0.8, -0.8) * np.ones(1) - 0.9 * x[0])
    swing = every(swing, lambda e: does(e, np.clip(-3 * e.obs["cart"][:-1, 1:], -1, 1)))
    return gather(every(swing, lambda e: cart_seen(e, e.obs["cart"][:, :1]), spec))


def held_actions(seed: int) -> Evidence:
    """Keys that are held for long, whatever is seen."""
    demos, rng = sound(seed, 25), np.random.default_rng(seed)

    def hold(e: Episode) -> Episode:
        keys = np.repeat(rng.uniform(-1, 1, 10), 12)[: len(e), None]
        return does(e, np.roll(keys, int(rng.integers(12))))

    return gather(every(demos, hold))


def misaligned(seed: int) -> Evidence:
    def late(e: Episode) -> Episode:
        return does(e, np.concatenate([e.action.continuous[:1], e.action.continuous[:-1]]))

    return gather(every(sound(seed, rule=doubting), late))


def uncovered(seed: int) -> Evidence:
    """Every episode in a place of its own, with a rule of its own."""
    rng = np.random.default_rng(seed)
    episodes: list[Episode] = []
    for place in range(4):
        seen = 1.5 * np.sin(np.arange(161) / 9)[:, None] + rng.normal(0, 0.05, (161, 2))
        e = cart_seen(drive(rng, 160), seen + np.array([20 * place, -7 * place]))
        episodes.append(does(e, (-1) ** place * seen[:-1, :1] / 2))
    return gather(Demos(CART, episodes))


def other_task(seed: int) -> Evidence:
    return with_task(sound(seed), spec=replace(CART, action=ActionSpec(branches=(3,))))


def other_bounds(seed: int) -> Evidence:
    there = ActionSpec(continuous=1, low=(-1.2,), high=(1.2,))
    return with_task(sound(seed), spec=replace(CART, action=there))


def frame_skip(seed: int) -> Evidence:
    return with_task(sound(seed), again=(again(matched={1: 0, 2: 1, 3: 0, 4: 30}),) * 2)


def late_actions(seed: int) -> Evidence:
    return with_task(sound(seed), again=(again(matched={1: 0, 2: 0}, next_matched=29),) * 2)


def not_reproduced(seed: int) -> Evidence:
    return with_task(sound(seed), again=(again(begins=False, matched={1: 0}),) * 3)


def other_versions(seed: int) -> Evidence:
    demos = sound(seed)
    made = Provenance(format="memory", versions={"mujoco": "2.1.5"})
    return gather(replace(demos, provenance=made), installed={"mujoco": "3.3.1"})


def below_threshold(seed: int) -> Evidence:
    return with_task(sound(seed), reward_threshold=500.0)


PLANTS: dict[str, tuple[Callable[[int], Evidence], Severity]] = {
    plant.__name__: (plant, severity)
    for severity, plants in {
        WRONG: (
            unreadable,
            not_finite,
            picture_range,
            outside_bounds,
            scale,
            one_action,
            duplicates,
            contradictory,
            misaligned,
            uncovered,
            other_task,
            other_bounds,
            frame_skip,
            late_actions,
        ),
        DOUBTFUL: (
            constant,
            bytes_as_vector,
            saturated,
            few_episodes,
            uneven_lengths,
            worse_than_rest,
            ends_unknown,
            limit_as_end,
            last_unseen,
            no_rewards,
            constant_rewards,
            reward_sign,
            memory_needed,
            held_actions,
            not_reproduced,
            other_versions,
            below_threshold,
        ),
    }.items()
    for plant in plants
}


def found(evidence: Evidence) -> dict[str, Finding]:
    return {finding.name: finding for finding in diagnose(evidence)}


def test_every_diagnosis_has_a_plant() -> None:
    names = [cast(Any, ask).__name__ for ask in DIAGNOSES]
    assert len(names) >= 15
    assert sorted(names) == sorted(PLANTS)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", PLANTS)
def test_what_was_planted_is_found_with_numbers_and_advice(name: str, seed: int) -> None:
    plant, severity = PLANTS[name]
    there = found(plant(seed))
    assert name in there, f"found only {sorted(there)}"
    finding = there[name]
    assert finding.severity == severity
    assert any(c.isdigit() for c in finding.says) or name in ("few_episodes", "other_task")
    assert finding.means
    assert finding.advice
    assert json.loads(json.dumps(finding.to_json()))["severity"] == severity.value


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("episodes", [3, 12, 40])
def test_nothing_is_found_where_nothing_was_planted(seed: int, episodes: int) -> None:
    demos = sound(seed, episodes)
    assert diagnose(gather(demos, seed=seed)) == []
    task = Task(
        env_id="Cart-v0", spec=CART, time_limit=100, reward_threshold=-200.0, again=(again(),) * 3
    )
    assert diagnose(gather(demos, task=task, seed=seed)) == []


# What else is told apart --------------------------------------------------------------------------


def test_wrong_things_are_said_before_doubtful_ones() -> None:
    demos = every(sound(0), lambda e: replace(e, end=End.UNKNOWN))
    demos = replace(demos, episodes=[*demos.episodes, demos.episodes[0]])
    assert [f.severity for f in diagnose(gather(demos))] == [WRONG, DOUBTFUL]


def test_pictures_are_judged_by_what_networks_expect_of_their_dtype() -> None:
    def saying(dtype: str, pixels: np.ndarray) -> str | None:
        spec = Spec(
            obs={"eye": Obs(kind="image", shape=(4, 4, 1), dtype=dtype)}, action=CART.action
        )

        def look(e: Episode) -> Episode:
            return replace(e, obs={"eye": np.resize(pixels, (len(e) + 1, 4, 4, 1)).astype(dtype)})

        finding = found(gather(every(sound(0), look, spec))).get("picture_range")
        return finding and finding.says

    ramp = np.random.default_rng(0).integers(0, 256, 4000)
    assert saying("uint8", ramp) is None
    assert saying("float32", ramp / 255) is None
    assert saying("float32", ramp) == "image 'eye': fractions (float32) from 0 to 255"
    assert saying("uint8", ramp // 128) == "image 'eye': bytes from 0 to 1, of 255"
    assert saying("uint8", ramp * 0) == "image 'eye': every pixel of every picture is 0"


def test_a_task_that_repeats_itself_from_other_seeds_is_no_copy() -> None:
    demos = sound(0)
    twin = replace(demos.episodes[2], seed=1)
    assert "duplicates" not in found(gather(replace(demos, episodes=[*demos.episodes, twin])))
    nobody_knows = replace(demos.episodes[2], seed=None)
    there = found(gather(replace(demos, episodes=[*demos.episodes, nobody_knows])))
    assert there["duplicates"].says == "1 of 13 episodes repeat an earlier one: 12 as 2"
    # Episodes of a file of ours are counted from 1, and these are none of one.
    assert there["duplicates"].advice.endswith("demos delete OUT --episodes 13")


def test_where_all_begin_alike_repetition_is_only_doubtful() -> None:
    rng = np.random.default_rng(0)
    one = replace(drive(rng, 30), seed=None)
    demos = Demos(CART, [one, one, one])
    assert found(gather(demos))["duplicates"].severity == DOUBTFUL


def test_a_time_limit_is_certain_once_the_environment_says_it() -> None:
    rng = np.random.default_rng(0)
    episodes = [drive(rng, n) for n in (30, 50, 50, 41)]
    over = every(Demos(CART, episodes), lambda e: replace(e, end=End.TERMINATED))
    assert "limit_as_end" not in found(gather(over))
    assert found(with_task(over, time_limit=50))["limit_as_end"].severity == WRONG
    assert "limit_as_end" not in found(with_task(over, time_limit=60))


def test_a_price_of_every_step_is_no_trap_unless_failing_is_cheaper() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(10, 60, 30).tolist()

    def paid(last: float) -> Evidence:
        episodes: list[Episode] = []
        for n in lengths:
            reward = np.full(n, -1, np.float32)
            reward[-1] = last
            episodes.append(replace(drive(rng, n), reward=reward, end=End.TERMINATED))
        return gather(Demos(CART, episodes))

    assert "reward_sign" not in found(paid(-1.0)), "the sooner it is done the better"
    assert "reward_sign" not in found(paid(0.0))
    assert "failing early pays" in found(paid(-5.0))["reward_sign"].says


def test_rewards_of_the_opposite_sign_are_found_by_doing_them_again() -> None:
    pay = np.random.default_rng(0).normal(size=30)
    there = found(with_task(sound(0), again=(again(recorded=-pay, received=pay),)))
    assert there["reward_sign"].severity == WRONG
    assert "reward_sign" not in found(
        with_task(sound(0), again=(again(recorded=pay, received=pay),))
    )


def test_another_version_does_not_matter_where_everything_came_back() -> None:
    demos = replace(sound(0), provenance=Provenance(format="memory", versions={"mujoco": "2.1"}))
    there = {"versions": {"mujoco": "3.3"}}
    assert "other_versions" in found(with_task(demos, **there))
    assert "other_versions" not in found(with_task(demos, **there, again=(again(),)))
    assert "other_versions" not in found(gather(demos, installed={"mujoco": "2.1.9"}))


@pytest.mark.parametrize("seed", SEEDS)
def test_actions_that_are_early_are_misaligned_as_well(seed: int) -> None:
    def early(e: Episode) -> Episode:
        return does(e, np.concatenate([e.action.continuous[1:], e.action.continuous[-1:]]))

    assert (
        "obs[t] with actions[t-1]"
        in found(gather(every(sound(seed, rule=doubting), early)))["misaligned"].advice
    )


@pytest.mark.parametrize("lengths", [(), (0,), (1,), (0, 1, 2), (1,) * 200, (2,) * 100])
def test_the_smallest_sets_are_judged_without_an_error(lengths: Sequence[int]) -> None:
    rng = np.random.default_rng(0)
    diagnose(gather(Demos(CART, [drive(rng, n) for n in lengths])))


def test_larger_sets_are_sampled_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    row = 2 * 4 + 1
    monkeypatch.setattr("understudy.data.diagnoses.evidence.MOST_BYTES", 5 * 56 * row)
    monkeypatch.setattr("understudy.data.diagnoses.evidence.MOST_STEPS", 50)
    evidence = gather(sound(0, 40))
    assert 5 <= len(evidence.lives) < 8
    assert 20 < len(evidence.steps) < 90


def test_nothing_at_all_is_wrong() -> None:
    for episodes in ([], [drive(np.random.default_rng(0), 0)]):
        (finding,) = diagnose(gather(Demos(CART, episodes)))
        assert (finding.name, finding.severity) == ("few_episodes", Severity.WRONG)


def test_chance_over_few_episodes_is_not_clear() -> None:
    # Means of 1, 1.2 and 0.8 with a standard error of 0.115: clear. Of 1, 3 and -1: 1 to 1.15.
    episode = np.repeat([0, 1, 2], 10)
    assert clear(np.repeat([1.0, 1.2, 0.8], 10), episode)
    assert not clear(np.repeat([1.0, 3.0, -1.0], 10), episode)
    assert not clear(np.repeat([1.0, 1.0], 10), np.repeat([0, 1], 10)), "two episodes say nothing"


def test_losses_are_0_for_right_and_1_for_the_best_guess() -> None:
    action = Action(np.array([[0.0], [2.0], [4.0], [6.0]]), np.array([[0], [0], [0], [1]]))
    codes = nearness.Codes(action)
    true = codes.of(action)
    assert codes.loss(true, true).tolist() == [0, 0, 0, 0]
    guess = codes.of(Action(np.full((4, 1), 3.0), np.zeros((4, 1), np.int64)))
    # Numbers: 9, 1, 1, 9 over a variance of 5; choices: the one wrong one of four, by a quarter.
    assert codes.loss(true, guess) == pytest.approx([0.9, 0.1, 0.1, 0.9 + 2.0])
    assert codes.loss(true, guess).mean() == pytest.approx(1.0)
