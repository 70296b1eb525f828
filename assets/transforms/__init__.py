"""Pure functions on data frames that the notebooks call: no lake, no Dagster, nothing happens at import."""
