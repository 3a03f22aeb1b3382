"""The experiments of an evaluation: reconstruction, fitting, steering and cross-talk; and the reader study."""
