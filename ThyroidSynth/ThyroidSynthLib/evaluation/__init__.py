"""How good a model is: surface distances, distributions, steering, and the report that shows them."""

CROSS_VALIDATION_FILE = "cross_validation.json"
EVALUATION_FILE = "evaluation.json"
REPORT_FILE = "report.html"
