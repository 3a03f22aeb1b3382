"""Section Edit: fit the patient's thyroid and change its features."""
