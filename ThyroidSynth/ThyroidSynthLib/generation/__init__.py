"""From a shape model to thyroids: decoding, steering, fitting, editing and cohorts. Imports packages up to `jobs`."""
