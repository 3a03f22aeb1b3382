"""Generated and edited thyroids in the scene: nodes, records, placement, export."""
