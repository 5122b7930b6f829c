"""What a report does besides receipts: metrics, notifications and asset events."""
