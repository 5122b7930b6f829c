"""Where Airflow meets the core: hooks, operators, settings."""
