"""Local stand-ins for the outside world, for the demo and the tests; nothing else imports them."""
