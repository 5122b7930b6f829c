"""Redaction: what of a record must not leave is dropped, masked or hashed, by the rules of the account."""

from job_history.redaction.dry_run import Sampled, dry_run
from job_history.redaction.policy import Policy, Redaction, rules_sha256
from job_history.redaction.redactor import MASK, Change
from job_history.redaction.rules import RedactionRule, first_rule_that_hashes

__all__ = [
    "MASK",
    "Change",
    "Policy",
    "Redaction",
    "RedactionRule",
    "Sampled",
    "dry_run",
    "first_rule_that_hashes",
    "rules_sha256",
]
