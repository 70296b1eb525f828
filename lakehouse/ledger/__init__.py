"""The ledger of promotions: which version of each model is the champion, who said so, on what evidence.

A Delta table of the library's own, `monitoring.promotions`, that is only appended to: each row holds the hash of the one
before, and MLflow's registry, which is elsewhere, the newest hash of each model. The ledger is the truth; MLflow's aliases
follow it. Nothing here imports numpy, pyarrow or MLflow until it is asked for: who the champion is, is read from the
table's log in milliseconds.
"""

from __future__ import annotations

from lakehouse.ledger.chain import Standing, champion, heads, standing
from lakehouse.ledger.entry import Action, Entry, Head
from lakehouse.ledger.recording import record
from lakehouse.ledger.table import entries

__all__ = ["Action", "Entry", "Head", "Standing", "champion", "entries", "heads", "record", "standing"]
