"""``/users/export/segment``: answered at once, built behind it, fetched when it is ready."""

from __future__ import annotations

import asyncio
import gzip
import io
import time
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from opportune.sandbox.delivery import members
from opportune.sandbox.exchange import Exchange, answer, decoded
from opportune.sandbox.export_jobs import Job
from opportune.sandbox.exports import check_fields, exported
from opportune.sandbox.model import Refused, SandboxConfig
from opportune.sandbox.workspace import Workspace

__all__ = ["download", "export_segment"]

USERS_PER_FILE = 5000
MAX_RUNNING = 100
MAX_CUSTOM = 500
NOT_READY_POLLS = 20
CALLBACK_TRIES = 5
_DENIED = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>'
)


class ExportSegment(msgspec.Struct, frozen=True):
    """The body of the call, as sent."""

    segment_id: str
    fields_to_export: list[str]
    custom_attributes_to_export: list[str] = []
    callback_endpoint: str | None = None
    output_format: str = "zip"


_EXPORT = msgspec.json.Decoder(ExportSegment)


async def export_segment(exchange: Exchange) -> Response:
    """Start the export of a segment; a second one while it runs is answered 429."""
    exchange.draw("default")
    asked, config = decoded(exchange.body, _EXPORT), exchange.config
    check_fields(asked.fields_to_export)
    if not asked.fields_to_export and not asked.custom_attributes_to_export:
        raise Refused("fields_to_export is required")
    if len(asked.custom_attributes_to_export) > MAX_CUSTOM:
        raise Refused(f"custom_attributes_to_export has more than {MAX_CUSTOM} names")
    if asked.output_format not in ("zip", "gzip"):
        raise Refused("output_format must be zip or gzip")
    callback = asked.callback_endpoint
    if callback is not None and not callback.startswith(("http://", "https://")):
        raise Refused("callback_endpoint must be an http(s) address")
    members(exchange.workspace, asked.segment_id)
    exports, now = exchange.workspace.exports, time.time()
    running = [job for job in exports.jobs.values() if not job.ready(now)]
    if any(job.segment_id == asked.segment_id for job in running) or len(running) >= MAX_RUNNING:
        raise Refused("An export of this segment is still running", status=429)
    job = _job(asked, exchange, now)
    exports.jobs[job.path.name] = job
    address = f"{str(exchange.request.base_url).rstrip('/')}/exports/{job.path.name}"
    task = asyncio.get_running_loop().create_task(_work(asked, job, exchange, address))
    exports.tasks.add(task)
    task.add_done_callback(exports.tasks.discard)
    extra = {"object_prefix": job.prefix}
    return answer(201, "success", extra if config.bucket else {**extra, "url": address})


async def download(request: Request, workspace: Workspace, config: SandboxConfig) -> Response:
    """The file; 403 as cloud storage answers while it is not there yet, or no longer."""
    job, now = workspace.exports.jobs.get(request.path_params["name"]), time.time()
    if job is None or config.bucket is not None:
        return _denied("AccessDenied", "Access Denied")
    if not job.ready(now):
        job.polls -= 1
        return _denied("AccessDenied", "Access Denied")
    if now > (job.built_at or now) + config.export_lives_s:
        return _denied("ExpiredToken", "The provided token has expired.")
    kind = "application/zip" if job.suffix == "zip" else "application/gzip"
    return FileResponse(job.path, media_type=kind)


def _denied(code: str, message: str) -> Response:
    return Response(_DENIED.format(code, message), 403, media_type="application/xml")


def _job(asked: ExportSegment, exchange: Exchange, now: float) -> Job:
    prefix = f"{uuid.uuid4()}-{int(now)}"
    suffix = "zip" if asked.output_format == "zip" else "gz"
    config, polls = exchange.config, exchange.config.export_polls
    if config.bucket is not None or asked.callback_endpoint is not None:
        polls = 0
    if exchange.export_fault == "not_ready":
        polls = NOT_READY_POLLS
    day = f"{exchange.workspace.now:%Y-%m-%d}"
    folder = f"segment-export/{asked.segment_id}/{day}/{prefix}"
    path = config.bucket / folder if config.bucket else None
    return Job(
        segment_id=asked.segment_id,
        prefix=prefix,
        suffix=suffix,
        started_at=now,
        polls=polls,
        path=path or exchange.workspace.exports.place(f"{prefix}.{suffix}"),
    )


async def _work(asked: ExportSegment, job: Job, exchange: Exchange, address: str) -> None:
    """Build the files chunk by chunk, then tell the callback; one told never to be ready is not."""
    if exchange.export_fault == "never_ready":
        job.started_at = float("inf")
        return
    await run_in_threadpool(_build, asked, job, exchange)
    job.built_at = time.time()
    if asked.callback_endpoint is not None:
        told: dict[str, object] = {"success": True}
        if exchange.config.bucket is None:
            told["url"] = address
        body = msgspec.json.encode(told)
        await run_in_threadpool(_tell, asked.callback_endpoint, body)


def _build(asked: ExportSegment, job: Job, exchange: Exchange) -> None:
    chunks = _chunks(asked, exchange.workspace)
    if exchange.config.bucket is not None:
        job.path.mkdir(parents=True, exist_ok=True)
        for number, lines in enumerate(chunks):
            content = gzip.compress(lines) if job.suffix == "gz" else _zipped(number, lines)
            part = job.path / f"{number:05d}.{job.suffix}.part"
            part.write_bytes(content)
            part.rename(part.with_suffix(""))
    elif job.suffix == "gz":
        with gzip.open(job.path, "wb") as file:
            for lines in chunks:
                file.write(lines)
    else:
        with zipfile.ZipFile(job.path, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, lines in enumerate(chunks):
                archive.writestr(f"{uuid.uuid4()}-{number}.txt", lines)


def _zipped(number: int, lines: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{number:05d}.txt", lines)
    return packed.getvalue()


def _chunks(asked: ExportSegment, workspace: Workspace) -> Iterator[bytes]:
    """JSON lines of 5,000 users each; always at least one chunk."""
    belongs: Callable[[int], bool] = members(workspace, asked.segment_id)
    encode, fields = msgspec.json.Encoder().encode, asked.fields_to_export
    lines: list[bytes] = []
    for number, *profile in workspace.people.profiles():
        if belongs(number):
            known = (profile[0], profile[1])
            custom = asked.custom_attributes_to_export
            lines.append(encode(exported(workspace, number, known, fields, custom)))
            if len(lines) == USERS_PER_FILE:
                yield b"\n".join(lines) + b"\n"
                lines = []
    yield b"\n".join(lines) + b"\n" if lines else b""


def _tell(address: str, body: bytes) -> None:
    """Post to the callback; a few tries, then it is left."""
    for attempt in range(CALLBACK_TRIES):
        request = urllib.request.Request(
            address, body, {"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=10):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1 * 2**attempt)
