"""From a trained model to thyroids: decode, steer, fit and export."""
