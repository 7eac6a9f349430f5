"""The input and output of `fulcrum rank`: request files, reports and explanations."""
