"""Suites that packages of others run against their own kinds; nothing else imports them."""
