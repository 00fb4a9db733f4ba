"""What does somebody want who walks like this? The reward behind demonstrations on a grid.

python examples/inverse_grid.py
"""

from understudy import record
from understudy.inverse import MaxEntIRL, ambiguity
from understudy.worlds.grid_world import GridWorld, expert


def main():
    world = GridWorld()
    demos = record(world, expert(world), episodes=300)
    found = MaxEntIRL(world.mdp, demos, world.features).learn()

    print(f"{len(demos)} walks of {demos.lengths.mean():.1f} steps; {found.describe()}")
    for kind, true, weight in zip(world.kinds, world.weights, found.weights, strict=True):
        print(f"  ground {kind}   truly {true:5.1f}   recovered {weight:6.2f}")
    print(ambiguity(world.mdp))


if __name__ == "__main__":
    main()
