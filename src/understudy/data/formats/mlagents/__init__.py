"""Demonstrations of Unity ML-Agents."""

from understudy.data.formats.mlagents.reader import read as read
from understudy.data.formats.mlagents.reader import recognizes as recognizes
