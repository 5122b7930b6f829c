"""`python -m simulators.workato --help` tells what can be set."""

from .command import main

main()
