"""Whether what came later changes a row that was said to be known before: the leak check.

A contract says when things become known: `known_at` of the table (the column by which all of a row is known; for a table
of features the moment at which is asked) and `known_at` of a column that is known later than its row. What says neither is
known always; where a moment is null, it never comes.

The probe of a table takes one of its own moments T and runs its notebook again, with the same parameters and on the same
versions, but on inputs as they were known at T, and with something else in place of what came after (`later`). It
publishes nothing. What it says of moments up to T must be what stands: a value that differs has come from what was not
known, so its column is a leak. Not a leak, and so left out:

- rows whose moment is after T: they had not happened;
- a column with a `known_at` of its own (an answer, such as a label) in rows in which it was not known by T;
- rows that came or went, where such an answer was not known by T: a training set may leave out what has no answer yet;
- columns that differ too when nothing is altered (a clock's time, code that changed since): these are told by themselves.

What it cannot see: leaks through inputs that say nothing of when they are known, those that reach farther back than T, and
those whose columns hold one value only. It shows leaks; it does not prove that there are none.
"""
