"""Promotion: what a new version of a model must show before it becomes the champion, and who says so.

A challenger is judged by the gates of the model's contract (assets/contracts/models) on what its evaluation measured and
what the lake knows of it; the ledger records the verdict. Nothing is imported here: the project reads contracts from this
package in processes that must stay small.
"""
