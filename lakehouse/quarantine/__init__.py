"""Rows that do not fit: set aside instead of published, kept in monitoring.quarantine with the reason and the place.

Rows of raw files that cannot be read (`lakehouse.ingest`) stand under their raw table, rows that break an expectation
of severity `quarantine` under the table that they were meant for.
"""
