"""The built widget and the pages beside it: filled in and compressed once, and fetched again only when they changed."""

import gzip
import hashlib
import json
import mimetypes
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from sanic import Request, response
from sanic.response import HTTPResponse

from assistant.website.origins import safe_host
from clinic.profile import ROOT, Clinic

WIDGET = ROOT / "widget" / "dist"
# The address that the demo page names, so that it also works opened from disk.
DEMO_SERVER = "http://localhost:5005/chat/"
_NAME = re.compile(r"[a-z]+\.(html|css|js)")
_SOON = "public, max-age=300"
_FOR_EVER = "public, max-age=31536000, immutable"
_HOSTS_KEPT = 32
_TEMPLATES = jinja2.Environment(autoescape=True)
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors {frames}",
        "require-trusted-types-for 'script'",
    )
)


@dataclass(frozen=True)
class File:
    """A file's content as it is and compressed, by encoding ("" for as it is), with what tells it from an older one."""

    contents: dict[str, bytes]
    tag: str


class Files:
    """Serves `widget/dist/`; the loader and the pages learn the clinic's details on their way."""

    def __init__(self, clinic: Clinic, folder: Path = WIDGET) -> None:
        self._clinic = clinic
        self._folder = folder
        self._read = lru_cache(maxsize=_HOSTS_KEPT)(self._read_anew)

    def answer(self, name: str, request: Request) -> HTTPResponse | None:
        """Return the file of a name, or None when there is none; 304 and no content for who has it already."""
        path = self._folder / name
        if not _NAME.fullmatch(name) or not path.is_file():
            return None
        if path.suffix == ".html":
            return self.page(name, request)
        host = safe_host(request.host) if name == "widget.js" else ""
        file = self._read(name, path.stat().st_mtime_ns, host)
        is_named_by_content = request.args.get("v") == file.tag
        headers = {
            "Cache-Control": _FOR_EVER if is_named_by_content else _SOON,
            "ETag": f'W/"{file.tag}"',
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if path.suffix == ".js":
            headers |= {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return response.empty(304, headers)
        encoding = next((each for each in file.contents if each and _is_accepted(each, request)), "")
        if encoding:
            headers["Content-Encoding"] = encoding
        kind = f"{mimetypes.guess_type(name)[0]}; charset=utf-8"
        return response.raw(file.contents[encoding], headers=headers, content_type=kind)

    def page(
        self, name: str, request: Request, frames: str = "'none'", status: int = 200, **values: Any
    ) -> HTTPResponse:
        """Return a page, filled in.

        Args:
            frames: the sites that may show it in a frame, as a policy names them.
            values: what its template names, beside `clinic` and `privacy`.
        """
        template = (self._folder / name).read_text(encoding="utf-8").replace(DEMO_SERVER, "")
        page = _TEMPLATES.from_string(template).render(clinic=self._clinic, privacy=privacy(self._clinic), **values)
        headers = {
            "Cache-Control": "no-store" if request.method == "POST" else "no-cache",
            "Content-Security-Policy": _POLICY.format(frames=frames),
            "Referrer-Policy": "no-referrer",
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        content = page.encode()
        if _is_accepted("gzip", request):
            content = gzip.compress(content)
            headers["Content-Encoding"] = "gzip"
        return response.raw(content, status, headers, "text/html; charset=utf-8")

    def _read_anew(self, name: str, _changed: int, host: str) -> File:
        """Return a file; a compressed one beside it was made by the build."""
        content = (self._folder / name).read_bytes()
        if name == "widget.js":
            details = json.dumps(for_visitors(self._clinic, host), ensure_ascii=False, separators=(",", ":"))
            content = content.replace(b"__CLINIC__", details.encode())
            contents = {"gzip": gzip.compress(content)}
        else:
            pressed = {"br": self._folder / f"{name}.br", "gzip": self._folder / f"{name}.gz"}
            contents = {encoding: path.read_bytes() for encoding, path in pressed.items() if path.is_file()}
        return File({**contents, "": content}, hashlib.sha256(content).hexdigest()[:12])


def for_visitors(clinic: Clinic, host: str) -> dict[str, str]:
    """Return what the widget shows of the clinic, also when the server is away; `host` is how the server was asked."""
    return {
        "name": clinic.name,
        "phone": clinic.phone,
        "phoneLink": clinic.phone_link,
        "emergency": clinic.emergency_number,
        "crisis": clinic.crisis_line,
        "label": clinic.chat_button,
        "placeholder": clinic.chat_field,
        "privacy": privacy(clinic),
        "privacyPage": str(clinic.privacy_page or ""),
        "host": host,
    }


def privacy(clinic: Clinic) -> str:
    """Say in one sentence what is kept of a chat and for how long."""
    return (
        f"This chat is erased {clinic.session_minutes} minutes after your last message, "
        f"and a request for a visit after {clinic.retention_days} days."
    )


def _is_accepted(encoding: str, request: Request) -> bool:
    """Tell whether a client takes an encoding."""
    accepted = (part.replace(" ", "").split(";") for part in request.headers.get("accept-encoding", "").split(","))
    return any(name == encoding and not re.fullmatch(r"q=0(\.0*)?", "".join(quality)) for name, *quality in accepted)
