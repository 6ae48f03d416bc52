"""Translates errors of object store libraries, without importing them."""

from __future__ import annotations

from fervid.errors import FervidError, InputError, OutputError

LIBRARIES = frozenset(("aiobotocore", "aiohttp", "botocore", "gcsfs", "google", "s3fs"))
CREDENTIALS = ("credential", "token", "accessdenied", "access denied", "forbidden", "unauthorized", "signature")


def storage_error(error: BaseException) -> FervidError | None:
    """The error as one of fervid's; None when it does not come from an object store."""
    libraries = {
        type(each).__module__.partition(".")[0] for each in (error, error.__cause__, error.__context__) if each
    }
    if not libraries & LIBRARIES:
        return None
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return InputError(f"object storage has no such object or bucket ({text}). Check its name.")
    if any(word in text.lower() for word in CREDENTIALS):
        return OutputError(f"object storage refused ({text}). Set its credentials, as for its own command line.")
    return OutputError(f"object storage did not answer ({text}). Check the network; the same command resumes.")
