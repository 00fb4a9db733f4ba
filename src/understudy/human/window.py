"""A window of pygame: the picture, two lines of text, keyboard and gamepads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from understudy.errors import MissingExtraError
from understudy.human.hands import Event
from understudy.human.shell import Picture

SIZE = (640, 480)
_LINE, _MARGIN, _TEXT, _GROUND = 20, 4, (235, 235, 235), (24, 24, 28)


class Window:
    """A window. See `Shell`.

    Attributes:
        holds: True.
    """

    holds = True

    def __init__(self, title: str) -> None:
        """Open it.

        Raises:
            MissingExtraError: pygame-ce is not installed.
        """
        try:
            import pygame
        except ImportError:
            raise MissingExtraError("a window for a person", "human") from None
        self._pygame: Any = pygame
        pygame.display.init()
        pygame.font.init()
        pygame.joystick.init()
        pygame.display.set_caption(title)
        self._screen = pygame.display.set_mode(SIZE, pygame.RESIZABLE)
        self._font = pygame.font.Font(None, 22)
        self._clock = pygame.time.Clock()
        # Whoever lets go of one has closed it.
        self._pads = [pygame.joystick.Joystick(i) for i in range(pygame.joystick.get_count())]
        self._crosses: set[str] = set()

    def events(self, seconds: float | None) -> Sequence[Event]:
        """See `Shell.events`."""
        pygame = self._pygame
        if seconds is None:
            found = [pygame.event.wait(), *pygame.event.get()]
            self._clock.tick()
        else:
            self._clock.tick(1 / seconds)
            found = pygame.event.get()
        return [event for given in found for event in self._translated(given)]

    def show(self, picture: Picture | None, lines: Sequence[str]) -> None:
        """See `Shell.show`."""
        pygame, screen = self._pygame, self._screen
        screen.fill(_GROUND)
        width, height = screen.get_size()
        top = height if picture is None else max(_LINE, height - _LINE * len(lines) - _MARGIN)
        if picture is not None:
            drawn = pygame.surfarray.make_surface(np.ascontiguousarray(picture).swapaxes(0, 1))
            scale = min(width / drawn.get_width(), top / drawn.get_height())
            size = [max(1, round(scale * n)) for n in drawn.get_size()]
            place = ((width - size[0]) // 2, (top - size[1]) // 2)
            screen.blit(pygame.transform.scale(drawn, size), place)
        first = _MARGIN if picture is None else top
        for index, line in enumerate(lines):
            text = self._font.render(line, True, _TEXT)
            screen.blit(text, (_MARGIN, first + index * _LINE))
        pygame.display.flip()

    def close(self) -> None:
        """See `Shell.close`."""
        self._pygame.display.quit()
        self._pygame.joystick.quit()

    def _translated(self, given: Any) -> list[Event]:
        pygame = self._pygame
        if given.type == pygame.QUIT:
            return [Event("closed")]
        if given.type in (pygame.KEYDOWN, pygame.KEYUP):
            kind = "down" if given.type == pygame.KEYDOWN else "up"
            return [Event(kind, pygame.key.name(given.key))]
        if given.type in (pygame.JOYBUTTONDOWN, pygame.JOYBUTTONUP):
            kind = "down" if given.type == pygame.JOYBUTTONDOWN else "up"
            return [Event(kind, f"pad {given.button}")]
        if given.type == pygame.JOYAXISMOTION:
            return [Event("axis", f"pad axis {given.axis}", float(given.value))]
        if given.type == pygame.JOYHATMOTION:
            return self._cross(*given.value)
        if given.type == pygame.JOYDEVICEADDED:
            self._pads.append(pygame.joystick.Joystick(given.device_index))
        return []

    def _cross(self, x: int, y: int) -> list[Event]:
        """The keys of a gamepad's cross that went down or up since it last moved."""
        sides = {"pad left": x < 0, "pad right": x > 0, "pad down": y < 0, "pad up": y > 0}
        now = {name for name, pushed in sides.items() if pushed}
        events = [Event("up", name) for name in sorted(self._crosses - now)]
        events += [Event("down", name) for name in sorted(now - self._crosses)]
        self._crosses = now
        return events
