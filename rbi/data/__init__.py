"""OHLCV bars: where they come from, whether they are sound, and the cut between dev and hold-out."""
