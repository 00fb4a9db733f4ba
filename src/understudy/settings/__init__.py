"""Typed settings from YAML files and `name=value` words. See `understudy.settings.reading`."""

from understudy.settings.reading import (
    Setting,
    as_tree,
    check,
    describe,
    digest,
    read,
    replace,
    said,
    to_yaml,
)

__all__ = [
    "Setting",
    "as_tree",
    "check",
    "describe",
    "digest",
    "read",
    "replace",
    "said",
    "to_yaml",
]
