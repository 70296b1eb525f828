"""The loop that keeps a model young: train, judge, promote or refuse, score, one month after the other.

`course` says which notebooks take part, `mature` when a month's outcomes have come, `due` which months are to be done,
`turn` does one. Neither Spark nor Dagster nor pyarrow is imported with any of them.
"""
