"""The version of the scores."""

SCORES_VERSION = 1
"""Rises by one with every change to what is computed from a task, a reference and an
attribution: ``bench leaderboard`` writes no other number under the same version."""
