"""What a version of a strategy has to stand before its numbers are believed."""
