"""Results and videos on disk or in object storage (`s3://`, `gs://`): places, publishing, locks, leftovers.

A place is a `pathlib.Path`, or a `upath.UPath` of the same methods for an object store (universal-pathlib over fsspec;
the extras `s3` and `gcs`). Nothing here knows what is in a run.
"""
