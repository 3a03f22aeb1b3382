"""Thyroids and patients in the MRML scene."""
