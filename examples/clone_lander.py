"""From a demonstrator to an evaluated policy: LunarLander, whole.

python examples/clone_lander.py
"""

import argparse

from understudy import BC, evaluate, record

ENV = "LunarLander-v3"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demos", type=int, default=20)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--save", help="a folder for the policy")
    args = parser.parse_args()

    demos = record(ENV, "scripted", episodes=args.demos)
    agent = BC(ENV, demos, steps=args.steps).learn()

    report = agent.report()
    if report is not None:
        print(f"on {report.steps} held-out steps it does what was shown:")
        for name in ("policy", "commonest", "previous"):
            print(f"  {name:10}{getattr(report, name).all_right:.0%}")

    print(f"return of {args.episodes} episodes (mean of the middle half):")
    for name, who in {"learned": agent, "expert": "scripted", "chance": "random"}.items():
        found = evaluate(who, ENV, episodes=args.episodes)
        low, high = found.summary()["return"]["ci95"]
        print(f"  {name:10}{found.iqm:7.1f}   ({low:.1f} to {high:.1f})")

    if args.save:
        print("saved in", agent.save(args.save))


if __name__ == "__main__":
    main()
