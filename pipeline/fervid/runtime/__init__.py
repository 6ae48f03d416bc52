"""Starts what runs networks: LiteRT, Keras and its backend, a device; writes TFLite files. Knows no network."""
