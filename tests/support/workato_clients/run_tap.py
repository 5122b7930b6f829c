"""tap-workato, which has no setting for the base URL: `run_tap.py URL ARGUMENTS...`."""

import sys

from tap_workato.client import WorkatoStream

WorkatoStream.url_base = sys.argv.pop(1)

from tap_workato.tap import TapWorkato  # noqa: E402 streams read the URL when they are made

TapWorkato.cli()
