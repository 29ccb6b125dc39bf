"""What runs inside the strategy environment: its own python and libraries, never imported by rbi."""
