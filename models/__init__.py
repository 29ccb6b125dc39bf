"""Talking to language models. Knows nothing of strategies, of runners or of rbi."""
