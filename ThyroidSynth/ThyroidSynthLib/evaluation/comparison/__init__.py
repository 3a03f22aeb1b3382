"""Comparison of several evaluations, and cross-validation."""
