"""Learning from a recording alone: no environment, an honest report.

Writes a small recording first, as a program that steers something would: somebody heats a room,
switching on below 19 degrees and off above 21. In between, what they do depends on what they did
before, so a policy that sees only the room cannot know it. The report says so, and a policy with a
memory can.

    python examples/clone_recording.py
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from understudy import BC, load_demos
from understudy.data.action import Action
from understudy.data.demos import Provenance
from understudy.data.episode import ActedBy, End
from understudy.data.formats.native import DemoWriter
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.nets.model import NetConfig
from understudy.report.verdict import judge

SPEC = Spec(
    obs={"room": Obs(kind="vector", shape=(2,))},  # degrees inside and outside
    action=ActionSpec(branches=(2,)),  # off or on
)


def write_recording(path, episodes, rng):
    """Evenings with a heater. Each step is safe on the disk before the next one is taken."""
    with DemoWriter(path, SPEC, Provenance(format="understudy", actor="somebody cold")) as writer:
        for _ in range(episodes):
            inside, outside, on = rng.uniform(16, 23), rng.uniform(-5, 12), 0
            obs = {"room": np.array([inside, outside], np.float32)}
            episode = writer.begin(obs)
            for _ in range(60):
                on = 1 if inside < 19 else 0 if inside > 21 else on
                inside += 0.02 * (outside - inside) + 0.6 * on + rng.normal(0, 0.05)
                obs = {"room": np.array([inside, outside], np.float32)}
                action = Action(np.zeros(0, np.float32), np.array([on]))
                episode.step(action, -abs(inside - 20), obs, acted_by=ActedBy.HUMAN)
            episode.end(End.TRUNCATED)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demos", type=int, default=30)
    parser.add_argument("--steps", type=int, default=400)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "evenings.demos"
        write_recording(path, args.demos, np.random.default_rng(0))
        demos = load_demos(path)
        print(f"{len(demos)} episodes, {demos.num_steps} steps; {demos.spec.describe()}")

    for words, memory in (("Without a memory", 0), ("With a memory", 32)):
        net = NetConfig(hidden=(64,), memory=memory)
        agent = BC(None, demos, net=net, steps=args.steps).learn()
        report = agent.report()
        if report is not None:
            verdict = judge(report)
            print(f"{words}: {verdict.headline}.", *verdict.sentences, sep="\n  ")

    # 20 degrees mean one thing on the way up and another on the way down.
    for way in ([18, 19, 20], [22, 21, 20]):
        state = None
        for inside in way:
            action, state = agent.predict([inside, 5.0], state, deterministic=True)
        print(f"at {way} degrees the heater ends {'on' if action.discrete[0] else 'off'}")


if __name__ == "__main__":
    main()
