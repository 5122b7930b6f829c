"""The built-in kinds of destination: each opened through a connection of Airflow."""
