"""Surfaces, regular grids, frames and the anatomical features measured on them. Imports `common` only."""
