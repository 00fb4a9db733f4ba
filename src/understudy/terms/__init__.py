"""Losses that join any learner."""
