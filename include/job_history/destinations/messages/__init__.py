"""Destinations of messages in HTTP requests: one loop, and an encoder and a client for each kind."""
