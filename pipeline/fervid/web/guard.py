"""Access control of fervid's servers: the token, a host name of this machine, and requests from its own page.

Three independent checks: a foreign `Host` is refused (a web page cannot point its own name at this machine), no
answer without the token (in the address once, then a cookie that scripts cannot read and other sites cannot send), and
nothing is changed but by a POST from the page itself. Knows nothing of runs.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_BYTES = 32
READING = ("GET", "HEAD")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def make_token() -> str:
    """A new secret for a URL."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def is_loopback(host: str) -> bool:
    """Whether an address is local to this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def allowed_names(host: str) -> frozenset[str]:
    """Host names that a server bound to `host` answers to; plain addresses are judged by themselves."""
    names = {"localhost", host.strip("[]").lower()}
    if not is_loopback(host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(names)


class Guard:
    """ASGI middleware around an application: see the module."""

    def __init__(self, app: ASGIApp, *, token: str, names: Collection[str], port: int, is_remote: bool = False) -> None:
        self._app, self._token, self._names = app, token, names
        self._is_remote = is_remote
        self.cookie = f"fervid-{port}"  # cookies know no port: two servers on one machine must not share one

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with the reason why not."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        by_address = self._is_token(parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0])
        refusal = self._refusal(scope["method"], headers, by_address)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    answer[name] = value
                if by_address and refusal is None:
                    answer.append("set-cookie", f"{self.cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/")
            await send(message)

        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, method: str, headers: Headers, by_address: bool) -> PlainTextResponse | None:
        if not self._is_own_name(headers.get("host", "")):
            return PlainTextResponse("This host name is not allowed.\n", 400)
        if not (by_address or self._has_cookie(headers.get("cookie", ""))):
            return PlainTextResponse("No valid token. Use the address that the command printed.\n", 401)
        if method not in READING and not self._is_from_own_page(headers):
            return PlainTextResponse("Changes are only accepted from this server's page.\n", 403)
        return None

    def _is_own_name(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        name = name.strip("[]").lower()
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        # An IP address cannot be rebound like a name.
        return self._is_remote or address.is_loopback

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode("utf-8", "surrogateescape"), self._token.encode())

    def _has_cookie(self, text: str) -> bool:
        try:
            cookies = SimpleCookie(text)
        except CookieError:
            return False
        return self.cookie in cookies and self._is_token(cookies[self.cookie].value)

    @staticmethod
    def _is_from_own_page(headers: Headers) -> bool:
        """By `Origin`, which a page cannot forge; every browser sends it with a POST."""
        return headers.get("origin") in (f"http://{headers.get('host')}", f"https://{headers.get('host')}")
