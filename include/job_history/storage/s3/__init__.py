"""A bucket of Amazon S3, or of a store that speaks its protocol, by one of two clients.

obstore is ten times faster with small objects (docs/decisions/0003). boto3 knows more: what obstore cannot express goes
by it. Both use what botocore resolved for the connection's own client (`resolve.py`).
"""
