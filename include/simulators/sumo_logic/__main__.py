"""`python -m simulators.sumo_logic --help` lists what can be set."""

from .command import main

main()
