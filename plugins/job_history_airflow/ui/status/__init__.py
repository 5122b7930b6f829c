"""The status page, also as JSON."""
