"""`make demo`: the main job on embedded parts, for one past hour, told step by step."""
