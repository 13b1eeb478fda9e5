"""What the Hugging Face Hub's client raises, in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def in_words(repo: str, endpoint: str) -> Iterator[None]:
    """Errors of the hub's client as one line that says what to do; no token is ever part of it.

    PermissionError without a token or right, ConnectionError when the hub at `endpoint` cannot be reached.
    """
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    # Its own errors and, below them, those of the HTTP library that it brings, which differ by version.
    transport: Any = HfHubHTTPError.__bases__
    login = "run `hf auth login` or set HF_TOKEN to a token that may write"
    try:
        yield
    except LocalTokenNotFoundError:
        raise PermissionError(f"{repo}: no token for {endpoint}; {login}") from None
    except OfflineModeIsEnabled:
        raise ConnectionError(f"{repo}: HF_HUB_OFFLINE is set; unset it to publish") from None
    except HfHubHTTPError as error:
        status = getattr(getattr(error, "response", None), "status_code", 0)
        if status == 401:
            raise PermissionError(f"{repo}: {endpoint} does not know the token, or there is none; {login}") from None
        if status == 403:
            raise PermissionError(f"{repo}: the token has no right to write there (HTTP 403); {login}") from None
        told = f"HTTP {status}: {str(getattr(error, 'server_message', '') or '')[:200]}".rstrip(": ")
        raise ConnectionError(f"{repo}: {endpoint} answered {told}. Run the same command to resume") from None
    except transport as error:
        if isinstance(error, OSError) and error.filename:
            raise
        kind = type(error).__name__
        raise ConnectionError(f"{repo}: no answer from {endpoint} ({kind}). Run the same command to resume") from None
