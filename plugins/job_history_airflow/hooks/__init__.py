"""Hooks for the two services that have no Airflow provider: Workato and Sumo Logic."""
