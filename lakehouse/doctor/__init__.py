"""Looks at a lake's machinery, says what is wrong in words, and repairs what can be repaired without losing anything.

An examination is a function that yields troubles; `EXAMINATIONS` lists them. Each works alone, so that one which
fails is itself only a finding. What is repaired is never deleted unless it can be had again: a damaged file is set aside
under a name that says so. A repair may be cut off at any point and done again.
"""

from lakehouse.doctor.examinations import EXAMINATIONS, Found, examine, heal

__all__ = ["EXAMINATIONS", "Found", "examine", "heal"]
