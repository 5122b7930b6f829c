"""From a record to its key and its bytes."""
