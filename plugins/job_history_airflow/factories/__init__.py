"""From an account's settings, through Airflow's connections, to sources, destinations and storage."""
