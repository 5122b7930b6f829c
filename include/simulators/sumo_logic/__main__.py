"""`python -m simulators.sumo_logic --help` tells what can be set."""

from .command import main

main()
