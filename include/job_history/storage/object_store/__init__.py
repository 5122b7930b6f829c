"""Azure Blob Storage and Google Cloud Storage, by obstore."""
