"""From what the user wrote to ideas."""
