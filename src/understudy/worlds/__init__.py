"""Example environments and their scripted experts.

`understudy.worlds.tasks` gives the environments their ids. Gymnasium is imported there and in the
environments alone.
"""
