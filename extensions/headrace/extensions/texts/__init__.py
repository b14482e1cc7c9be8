"""Where the text is, in every API that is understood: in requests, answers and streams."""
