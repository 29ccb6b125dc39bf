"""Running strategy code in its own process and environment. Knows nothing of models or of rbi."""
