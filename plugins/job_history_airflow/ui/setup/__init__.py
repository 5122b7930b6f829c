"""The set-up page: "Audit log replication"."""
