"""The benchmark: what this costs beside what people use today, how it grows, and what was tried to make it faster.

    lakehouse bench peers [--rounds 3] [--slow-rounds 1] [--only bronze/*,silver/*] [--peers ours,plain]
    lakehouse bench growth [--scales 1,10,100] [--budget 3600]
    lakehouse bench merge [--scales 1,10] [--shares 1,10]
    lakehouse bench features [--scales 1,10] [--rounds 3]
    lakehouse bench score [--scales 1,10]
    lakehouse bench tuning [--rounds 2] [--variants lz4,zstd]
    lakehouse bench gate [--rounds 3] [--only gold/*]
    lakehouse bench stream [--scales 1,10,100] [--seconds 60] [--every 5]

Each works on a lake of its own in a temporary folder, prints a table, saves it in results/ beside this file, and
writes it into the README between `<!-- bench:NAME -->` and `<!-- /bench -->` where those stand.
"""
