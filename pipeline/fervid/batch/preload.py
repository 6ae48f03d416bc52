"""Imported once by the server process that every worker is forked from. Starts no thread, raises nothing."""

from fervid.batch.worker import preload

preload()
