"""The services and writers a prompt can be sent to."""
