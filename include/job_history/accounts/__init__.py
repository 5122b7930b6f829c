"""Who is replicated: the accounts and their settings, as the Airflow Variable holds them."""
