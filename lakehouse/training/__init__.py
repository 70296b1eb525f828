"""Training: which rows, whether anything can be learnt from them, the search over parameters, and the same again."""
