"""The ids of the example environments: importing this module registers them with Gymnasium.

`understudy.worlds.tasks:Grid-v0` names one wherever an environment is asked for, and imports this
module by itself.
"""

import gymnasium

gymnasium.register(
    "HiddenCartPole-v0",
    "understudy.worlds.hidden_cart_pole:HiddenCartPole",
    max_episode_steps=500,
    reward_threshold=475,
)
gymnasium.register(
    "Grid-v0", "understudy.worlds.grid:Grid", max_episode_steps=40, reward_threshold=0.85
)
gymnasium.register(
    "Dials-v0", "understudy.worlds.dials:Dials", max_episode_steps=40, reward_threshold=38
)
gymnasium.register(
    "Pick-v0", "understudy.worlds.pick:Pick", max_episode_steps=60, reward_threshold=1.75
)
gymnasium.register(
    "Presence-v0",
    "understudy.worlds.presence:Presence",
    max_episode_steps=16,
    reward_threshold=15.5,
)
