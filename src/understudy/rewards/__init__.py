"""Reward signals: what a learner is rewarded for."""
