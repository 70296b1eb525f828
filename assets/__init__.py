"""The example's own part: sources, contracts, transforms and the Dagster entry. Another data set replaces it."""
