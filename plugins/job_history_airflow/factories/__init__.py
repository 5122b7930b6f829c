"""From an account's settings, through Airflow's connections, to the sources, destinations and storage of the core."""
