"""What is remembered of each window: receipts, item lists, quarantine."""
