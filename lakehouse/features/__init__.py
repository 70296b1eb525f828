"""Features: what was known of an entity at a moment, joined from feature views, and how missing values are filled.

A feature view is a table of the layer features whose contract says so (`feature_view`, see
`lakehouse.contracts.features`). Training sets, batch scores and notebooks all ask for it in the same way.
"""
