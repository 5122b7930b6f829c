"""`python -m job_history_verify`."""

from __future__ import annotations

import sys

from job_history_verify.cli import main

sys.exit(main())
