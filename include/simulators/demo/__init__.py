"""`make demo`: the main job on embedded parts, for one past hour, step by step."""
