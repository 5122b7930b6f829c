"""Redaction: drops, masks or hashes the values of a record that the rules of the account are about."""

from job_history.redaction.dry_run import Sampled, dry_run
from job_history.redaction.policy import Policy, Redaction, rules_sha256
from job_history.redaction.replacement import MASK, Change
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
