"""The window and the terminal: what a person does in them, and what they show."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest

from understudy.errors import ConfigError
from understudy.human.door import open_shell
from understudy.human.hands import Event
from understudy.human.terminal import Terminal, blocks


@pytest.fixture
def window(monkeypatch):
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("DISPLAY", ":77")
    shell = open_shell("a test")
    # What SDL itself says while the window opens.
    pygame.event.clear()
    yield shell, pygame
    shell.close()


def test_the_keys_of_a_window_are_events(window):
    shell, pygame = window
    for key in (pygame.K_LEFT, pygame.K_a, pygame.K_7, pygame.K_SPACE, pygame.K_RETURN):
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
    pygame.event.post(pygame.event.Event(pygame.KEYUP, key=pygame.K_BACKSPACE))
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    names = ("left", "a", "7", "space", "return")
    assert shell.events(0.001) == [
        *(Event("down", name) for name in names),
        Event("up", "backspace"),
        Event("closed"),
    ]


def test_every_key_of_the_commands_has_the_name_that_a_window_gives_it(window):
    _, pygame = window
    from understudy.human.keys import _PAIRS, COMMANDS

    for name in [*COMMANDS, *(key for pair in _PAIRS for key in pair)]:
        if not name.startswith("pad"):
            assert pygame.key.name(pygame.key.key_code(name)) == name


def test_a_gamepad_is_keys_and_sticks(window):
    shell, pygame = window
    for event in (
        pygame.event.Event(pygame.JOYBUTTONDOWN, button=3),
        pygame.event.Event(pygame.JOYBUTTONUP, button=3),
        pygame.event.Event(pygame.JOYAXISMOTION, axis=1, value=-0.5),
        pygame.event.Event(pygame.JOYHATMOTION, value=(-1, 1)),
        pygame.event.Event(pygame.JOYHATMOTION, value=(0, 1)),
    ):
        pygame.event.post(event)
    assert shell.events(0.001) == [
        Event("down", "pad 3"),
        Event("up", "pad 3"),
        Event("axis", "pad axis 1", -0.5),
        Event("down", "pad left"),
        Event("down", "pad up"),
        Event("up", "pad left"),
    ]


def test_a_window_waits_for_the_next_event_where_time_stands_still(window):
    shell, pygame = window
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_x))
    assert shell.events(None) == [Event("down", "x")]


def test_a_window_shows_the_picture_as_large_as_it_can_and_the_lines_below(window):
    shell, pygame = window
    picture = np.zeros((10, 10, 3), np.uint8)
    picture[:, :5] = (255, 0, 0)
    shell.show(picture, ["one line"])
    screen = pygame.display.get_surface()
    width, height = screen.get_size()
    assert screen.get_at((width // 2 - 40, height // 2))[:3] == (255, 0, 0)
    assert screen.get_at((width // 2 + 40, height // 2))[:3] == (0, 0, 0)
    bottom = pygame.surfarray.array3d(screen)[:, height - 20 :]
    assert (bottom > 200).any()
    shell.show(None, ["only words"])
    assert (pygame.surfarray.array3d(screen) > 200).any()


@pytest.fixture
def piped():
    """A terminal whose keys come through a pipe, and the pipe's other end."""
    read, write = os.pipe()
    shell = Terminal(read, io.StringIO())
    yield shell, write
    shell.close()
    os.close(read)


def pressed(shell, count):
    found = [list(shell.events(0.01)) for _ in range(count)]
    return [events[0].key if events else None for events in found]


def test_a_terminal_gives_one_key_after_the_other(piped):
    shell, write = piped
    os.write(write, b"a \x1b[A\x1b[3~\x1bOD7\r\x7f\tQ")
    assert list(shell.events(None)) == [Event("down", "a"), Event("up", "a")]
    names = ["space", "up", "delete", "left", "7", "return", "backspace", "tab", "q", None]
    assert pressed(shell, 10) == names
    os.close(write)


def test_an_escape_alone_is_a_key_and_the_end_of_a_pipe_is_leaving(piped):
    shell, write = piped
    os.write(write, b"\x1b")
    assert pressed(shell, 1) == ["escape"]
    os.write(write, b"\x1b")
    os.close(write)
    assert pressed(shell, 1) == ["escape"]
    assert list(shell.events(None)) == [Event("closed")]
    assert list(shell.events(0.0)) == [Event("closed")]


def test_a_picture_in_letters_keeps_its_shape_and_colors():
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:20] = (10, 20, 30)
    lines = blocks(picture, 16, 20)
    # 16 characters of one pixel by two: 16 x 8 pixels are 4 lines.
    assert len(lines) == 4
    assert all(line.count("▀") == 16 for line in lines)
    assert "38;2;10;20;30" in lines[0]
    assert "48;2;10;20;30" in lines[1]
    assert "10;20;30" not in lines[2]
    assert len(blocks(picture, 64, 3)) == 3


def test_a_terminal_draws_on_terminals_alone_and_leaves_them_as_they_were():
    class Screen(io.StringIO):
        def isatty(self):
            return True

    read, write = os.pipe()
    out, quiet = Screen(), io.StringIO()
    for stream in (out, quiet):
        shell = Terminal(read, stream)
        shell.show(np.zeros((4, 4, 3), np.uint8), ["a line"])
        shell.close()
    assert "a line" in out.getvalue()
    assert "▀" in out.getvalue()
    assert out.getvalue().endswith("\x1b[?25h")
    assert quiet.getvalue() == ""
    os.close(read)
    os.close(write)


@pytest.mark.skipif(os.name == "nt", reason="a terminal of POSIX")
def test_a_terminal_gives_single_keys_and_is_itself_again_afterwards():
    import pty
    import termios

    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    shell = Terminal(slave, io.StringIO())
    os.write(master, b"d")
    assert list(shell.events(5.0)) == [Event("down", "d"), Event("up", "d")]
    assert list(shell.events(0.0)) == []
    shell.close()
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_without_a_display_and_a_terminal_there_is_nowhere_to_play(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(ConfigError, match="there is no display and standard input is no terminal"):
        open_shell("a test")
