"""`python -m simulators.workato --help` lists what can be set."""

from .command import main

main()
