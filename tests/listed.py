"""A person who does what a list says."""

from __future__ import annotations

from understudy.human.hands import Event


def down(key):
    return Event("down", key)


def up(key):
    return Event("up", key)


def tap(key):
    return [down(key), up(key)]


class Listed:
    """A `Shell` in which one list of events happens in each wait; then the window is closed."""

    def __init__(self, *waits, holds=True):
        self.holds = holds
        self.left = list(waits)
        self.waited, self.shown, self.pictures, self.closed = [], [], [], False

    def events(self, seconds):
        self.waited.append(seconds)
        return self.left.pop(0) if self.left else [Event("closed")]

    def show(self, picture, lines):
        self.shown.append(lines[0])
        self.pictures.append(picture)

    def close(self):
        self.closed = True
