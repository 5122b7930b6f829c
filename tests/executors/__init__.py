"""The hourly run under executors whose tasks share no folder."""
