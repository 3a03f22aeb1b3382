"""Targets and distributions of a generated cohort."""
