"""The HTTP client that the Workato API and Sumo Logic share: a session, one retry loop, the reasons why requests
fail.
"""
