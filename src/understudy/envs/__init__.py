"""Environments behind one contract."""
