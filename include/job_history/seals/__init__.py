"""Seals: a signed chain of statements about windows, which `job_history_verify` checks on a copy, offline.

From the bottom up: `signer` (who signs), `sums` (the documents of a window), `seal_bytes` (the statement),
`chain_writer` (appends to a chain in the ledger), `window_seal` (seals one window), `bucket_copy` and `take_back` (the
copy in the account's bucket, and the way back), `unsealed` (what waits for a seal), `needs` (what the installation
provides), `chain_sealing` (one chain), `witness`, `sealing` (what a report does); `archive` (the verifier's view).
"""
