"""Reconciliation: what the source has, what the receipts say, and what the destination holds, compared hour by hour."""
