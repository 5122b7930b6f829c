"""What is remembered of each window: receipts, item lists, quarantine."""

import os

# Arrow reads this once, when it is imported. Its own allocator (mimalloc) keeps 20 MB more of a task that writes an
# item list a row group at a time. What is set in the environment is left.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
