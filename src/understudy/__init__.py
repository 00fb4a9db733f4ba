"""Learn what to do from being shown.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""
