"""What the rows of each published batch look like, column by column, and whether that is unusual beside batches before.

A batch is a partition of a table, or the whole of a table without partitions. Each write's batches are profiled by one
query over the rows that it is about to publish (`compute`), compared with those of the batches nearest to them
(`compare`), and kept in the run's folder before the commit (`kept`): a profile counts where its run's commit stands, so
that a crash can lose none and leave none too many. The Delta table `monitoring.profiles` is made from these (`table`).
"""
