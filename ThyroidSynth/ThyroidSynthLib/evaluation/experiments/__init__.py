"""What is run to evaluate a model: reconstruction, fitting, steering, cross-talk, cross-validation."""
