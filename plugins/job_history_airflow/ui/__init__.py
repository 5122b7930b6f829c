"""The pages of the project in the Airflow UI, served by the API server."""
