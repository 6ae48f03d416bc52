"""The networks that fervid trains and runs in Keras."""
