"""Checks before anything is read or delivered: can the destination take an account's documents, can the source be read?

A check sends the same requests as a run, and returns `Finding`s; `errors.catalogue` lists them all.
"""
