"""The accounts that are replicated, and their settings, as the Airflow Variable holds them."""
