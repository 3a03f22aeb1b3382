"""How good a model is: surface distances, distributions, steering, and the report that shows them."""
