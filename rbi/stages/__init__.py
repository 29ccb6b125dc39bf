"""The stages of an idea: each one function from a draft to the next draft."""
