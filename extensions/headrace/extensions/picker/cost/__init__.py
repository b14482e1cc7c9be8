"""What a request costs where: what is open at an endpoint, and how long a prompt would take there.

Pure: times come as `now_s`, coefficients from the policy. docs/explain/cost-model.md has the
formulas in words.
"""
