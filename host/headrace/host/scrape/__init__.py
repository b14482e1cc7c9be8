"""Reads the metrics of model servers into the store the picker decides by."""
