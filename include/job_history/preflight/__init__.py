"""Checks before anything is read or delivered: can the destination take an account's documents, can the source be read?

A check asks the other side as a run would, and tells what it finds as `Finding`s; `errors.catalogue` has all that there are.
"""
