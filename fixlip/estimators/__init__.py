"""Estimators: from a game, or samples of it, to an Explanation."""
