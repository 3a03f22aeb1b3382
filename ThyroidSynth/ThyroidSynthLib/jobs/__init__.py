"""Training as a background process with a job folder. Imports packages up to `training`."""
