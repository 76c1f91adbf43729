"""The files of the built widget and its demo page."""

import gzip
import json
import mimetypes
import re

from sanic import Request, response
from sanic.response import HTTPResponse

from clinic.profile import ROOT, Clinic

WIDGET = ROOT / "widget" / "dist"
# The address that the demo page names, so that it also works opened from disk.
DEMO_SERVER = b"http://localhost:5005/chat/"
_FILE_NAME = re.compile(r"[a-z]+\.(html|css|js)")
_DEMO_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "style-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)


class Files:
    """The widget as a browser loads it, with the clinic's details."""

    def __init__(self, clinic: Clinic) -> None:
        self._clinic = clinic

    def response(self, name: str, request: Request) -> HTTPResponse | None:
        """Return a file of the built widget, or None when there is none.

        `widget.js` learns the clinic's details on its way.
        """
        path = WIDGET / name
        if not _FILE_NAME.fullmatch(name) or not path.is_file():
            return None
        content = path.read_bytes()
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "public, max-age=300",
            "Vary": "Accept-Encoding",
        }
        if name == "widget.js":
            content = content.replace(b"__CLINIC__", json.dumps(self._for_visitors()).encode())
        if path.suffix == ".js":
            headers |= {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
        if path.suffix == ".html":
            content = content.replace(DEMO_SERVER, b"")
            headers |= {"Content-Security-Policy": _DEMO_POLICY, "Cache-Control": "no-cache"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            content = gzip.compress(content)
            headers["Content-Encoding"] = "gzip"
        return response.raw(content, headers=headers, content_type=f"{mimetypes.guess_type(name)[0]}; charset=utf-8")

    def _for_visitors(self) -> dict[str, str]:
        """Return the details of the clinic that the widget shows, also when the server is away."""
        clinic = self._clinic
        return {
            "name": clinic.name,
            "phone": clinic.phone,
            "phoneLink": clinic.phone_link,
            "emergency": clinic.emergency_number,
            "crisis": clinic.crisis_line,
        }
