"""Demonstration files: ours and those of others."""
