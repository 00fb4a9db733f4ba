"""The page of settings says what the settings say."""

from __future__ import annotations

import write_settings


def test_the_page_of_settings_is_current() -> None:
    assert write_settings.PAGE.read_text() == write_settings.page(), (
        "run: python tools/write_settings.py"
    )


def test_every_group_of_settings_has_a_heading() -> None:
    assert all(
        f"\n### {title}\n" in write_settings.page() for title in write_settings.GROUPS.values()
    )
