"""Property tests on machines that are busy with other things: no example is late."""

from hypothesis import settings

settings.register_profile("job_history", deadline=None)
settings.load_profile("job_history")
