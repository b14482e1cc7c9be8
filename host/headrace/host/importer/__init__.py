"""The importer: an EndpointPickerConfig of the reference in, a policy and what it lacks out.

Everything here is a function of text; files are the command's business.
"""
