"""From a file of trading ideas to tested strategies and a leaderboard you can believe."""

__version__ = "0.1.0"
