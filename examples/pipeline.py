"""An expert learns from reward, demonstrates, and is cloned.

python examples/pipeline.py
"""

from understudy import BC, PPO, evaluate, record

ENV = "CartPole-v1"


def main():
    expert = PPO(ENV).learn()
    demos = record(ENV, expert.policy.actor(), episodes=20)
    clone = BC(ENV, demos, steps=2000).learn()

    print(f"{len(demos)} demonstrations brought {demos.returns.mean():.1f} on average")
    for name, who in {"expert": expert, "clone": clone, "chance": "random"}.items():
        found = evaluate(who, ENV, episodes=50)
        low, high = found.summary()["return"]["ci95"]
        print(f"{name:8}{found.iqm:7.1f}   ({low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main()
