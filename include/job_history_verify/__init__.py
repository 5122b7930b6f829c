"""Verifies a copied archive offline: signed seals, their sums, and the documents that they name.

Standard library only, Python 3.9 or later; imports nothing of `job_history`. Modules, from the bottom up: `merkle`,
`sshsig`, `ed25519`, `allowed_signers`, `moments` (plain functions); `layout`, `seal`, `sums`, `documents` (the format);
`archive` (where the files are); `chain`, `judge`, `verify` (the verdicts); `proof`, `cli`, `watch` (the commands).
"""

__version__ = "0.1.0"
