"""Transitions that NerveX and DI-engine pickled, read without unpickling, and written."""
