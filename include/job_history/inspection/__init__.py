"""Read-only views of the ledger for users: status and diff."""
