"""Raw files on their way into the lake: judged before they are read, so that uneven input is told and never guessed at.

A file is judged once, by its bytes (`judge`); the verdict is kept beside the manifests (`verdict`). A read holds the
verdicts of its files against what the source says and against earlier deliveries (`batch`, `drift`), leaves out the
rows that do not fit, and reads the rest by the files' own headers (`reading`).
"""
