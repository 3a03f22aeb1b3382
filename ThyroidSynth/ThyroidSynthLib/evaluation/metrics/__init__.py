"""Measures of surfaces, features and populations."""
