"""What can be detected without a model: each kind is a shape and a check of what has it."""
