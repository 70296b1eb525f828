"""A second project, from another field than flights: patients with diabetes, as scikit-learn ships them."""
