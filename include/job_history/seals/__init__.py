"""Seals: a signed chain of statements about windows, which `job_history_verify` checks on a copy, offline.

`sums` (the documents of a window), `seal_bytes` (the statement), `signer` (who signs), `chain_writer` (appends to a
chain in the ledger), `window_seal` (seals one window), `bucket_copy` (the copy in the account's bucket), `take_back`
(the way back), `unsealed` (what waits for a seal), `sealing` (what a report does with all of it), `archive` (the
verifier's view of a storage).
"""
