"""An environment of one's own, cloned end to end: named observations, a number and a choice.

A crane over a row of three bins. It sees where it is, what is wanted and whether it holds
something; it moves by a number and opens or closes its hand by a choice.

    python examples/own_world.py
"""

import argparse

import gymnasium
import numpy as np
from gymnasium import spaces

from understudy import BC, evaluate, record
from understudy.data.action import Action
from understudy.data.actor import Fixed

BINS = np.array([-0.6, 0.0, 0.6], np.float32)
NEAR = 0.1


class Crane(gymnasium.Env):
    """Take the thing from where it lies to the bin that is wanted, within 60 steps."""

    observation_space = spaces.Dict(
        {
            "place": spaces.Box(-1, 1, (2,), np.float32),  # the crane, and the thing
            "wanted": spaces.Discrete(3),
            "holds": spaces.MultiBinary(1),
        }
    )
    action_space = spaces.Dict(
        {"move": spaces.Box(-1, 1, (1,), np.float32), "hand": spaces.Discrete(2)}
    )

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.crane, self.thing = self.np_random.uniform(-0.9, 0.9, 2)
        self.wanted = int(self.np_random.integers(3))
        self.holds, self.time = False, 0
        return self._see(), {}

    def step(self, action):
        self.time += 1
        self.crane = float(np.clip(self.crane + 0.1 * action["move"][0], -1, 1))
        closed = bool(action["hand"])
        self.holds = closed and (self.holds or abs(self.crane - self.thing) < NEAR)
        if self.holds:
            self.thing = self.crane
        done = not closed and abs(self.thing - BINS[self.wanted]) < NEAR
        return self._see(), float(done) - 0.01, done, self.time >= 60, {}

    def _see(self):
        return {
            "place": np.array([self.crane, self.thing], np.float32),
            "wanted": self.wanted,
            "holds": np.array([self.holds], np.int8),
        }


gymnasium.register("Crane-v0", Crane)


def by_hand(obs):
    """Go to the thing, take it, carry it, let go. Arrays `[n, ...]` in, an `Action` out."""
    crane, thing = obs["place"].T
    goal = BINS[obs["wanted"].argmax(1)]  # a choice is seen as a one-hot
    holds = obs["holds"][:, 0] > 0
    there = np.abs(crane - goal) < NEAR / 2
    target = np.where(holds, goal, thing)
    move = np.clip(10 * (target - crane), -1, 1).astype(np.float32)
    hand = np.where(holds, ~there, np.abs(crane - thing) < NEAR)
    return Action(move[:, None], hand.astype(np.int64)[:, None])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demos", type=int, default=50)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--episodes", type=int, default=100)
    args = parser.parse_args()

    demos = record("Crane-v0", Fixed(by_hand), episodes=args.demos)
    print(demos.spec.describe())
    agent = BC("Crane-v0", demos, steps=args.steps).learn()
    print(f"shown {demos.returns.mean():.2f}", end=", ")
    print(f"learned {evaluate(agent, 'Crane-v0', episodes=args.episodes).iqm:.2f}", end=", ")
    print(f"by chance {evaluate('random', 'Crane-v0', episodes=args.episodes).iqm:.2f}")

    obs, _ = gymnasium.make("Crane-v0").reset(seed=0)
    print("the policy does", agent.predict(obs, deterministic=True)[0])


if __name__ == "__main__":
    main()
