"""Streams: what keeps coming, landed exactly once in a raw Delta table that is only appended to.

    raw/<name>/                       the files byte for byte, with their manifest, as for every source
    streams/<name>/waiting/           a link to each file that is not landed yet, `<number of its delivery>-<file>`
    streams/<name>/checkpoint/        Spark's: which files, or offsets, each batch is made of
    streams/<name>/landed             how many deliveries are known to be landed: only saves looking
    tables/raw/<name>/                the records as text, with `_source_file`, `_delivery`, `_received_at`

One round: take what came → link it → one query of Spark's (`availableNow`) → unlink. Cut off anywhere, the next round
does what is left: a file that came again is known by its manifest, a link made again by the checkpoint, a batch that was
committed already by its number in Delta's log. A reader that brings its own records (Kafka) needs the checkpoint only.
"""
