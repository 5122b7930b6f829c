"""Connections to the services that no provider of Airflow's knows."""
