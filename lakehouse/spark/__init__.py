"""The shared Spark: its jars, its server and the sessions on it."""
