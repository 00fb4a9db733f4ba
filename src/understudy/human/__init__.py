"""A person who acts: keys and sticks as actions, a window, a terminal."""
