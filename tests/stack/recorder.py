"""The local stack, with each call that its functions make to AWS written down as it comes over HTTP.

A program: `python recorder.py FILE up …`; what stands behind the file are the arguments of `bookings local`.
Each line of the file is one signed request of a role's session: who, which operation, on what.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.commands import app
from local.emulator import Emulator

# "Signature Version 4", AWS Signature reference: Credential=key/date/region/service/aws4_request
_CREDENTIAL = re.compile(rb"Credential=(?P<key>\w+)/\d{8}/[\w-]+/(?P<service>[\w-]+)/aws4_request")


def main(path: Path, arguments: list[str]) -> None:
    handle = Emulator.handle
    with path.open("w", encoding="utf-8") as file:

        async def recorded(self: Emulator, scope: Any, receive: Any, send: Any) -> None:
            body = bytearray()

            async def heard() -> Any:
                message = await receive()
                body.extend(message.get("body", b""))
                return message

            await handle(self, scope, heard, send)
            if scope["type"] == "http" and (call := _call(scope, bytes(body))):
                file.write(json.dumps(call) + "\n")
                file.flush()

        Emulator.handle = recorded  # type: ignore[method-assign]  # to record what comes in
        app(arguments)


def _call(scope: Mapping[str, Any], body: bytes) -> dict[str, Any] | None:
    """Returns what a line says of a request; None for one that no role has signed."""
    headers = dict(scope["headers"])
    signed = _CREDENTIAL.search(headers.get(b"authorization", b""))
    caller = _role_session(signed["key"].decode()) if signed else None
    if signed is None or caller is None:
        return None
    role, session = caller
    # JSON protocols name the operation in a header; any other protocol shows as its method and path, which
    # nothing grants: so a service that is new here can't be overlooked.
    target = headers.get(b"x-amz-target", b"").decode()
    return {
        "role": role,
        "session": session,
        "service": signed["service"].decode(),
        "operation": target.rpartition(".")[2] or f"{scope['method']} {scope['path']}",
        "parameters": json.loads(body) if target else {},
    }


def _role_session(access_key: str) -> tuple[str, str] | None:
    """Returns a role's name and its session's, which for a function is the function's name."""
    evaluator = importlib.import_module("ministack.core.iam_evaluator")
    identity = evaluator.resolve_caller_identity(access_key) or {}
    # arn:aws:sts::account:assumed-role/role/session
    kind, _, rest = str(identity.get("userArn", "")).rpartition(":")[2].partition("/")
    role, _, session = rest.partition("/")
    return (role, session) if kind == "assumed-role" else None


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
