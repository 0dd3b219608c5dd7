"""A stand-in for Google's provider, run by Terraform: stand_in_provider.py FOLDER NAME.

It has the real provider's schema (NAME.schema in the folder). It can plan, not apply; unset computed values
are unknown. Ephemeral resources return CANARY, which must never be in a plan.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-not-found,import-untyped,unused-ignore]
import msgpack  # type: ignore[import-not-found,import-untyped,unused-ignore]

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.deploy.gce.wire import field, fields

UNKNOWN = msgpack.ExtType(0, b"\x00")
CANARY = "canary-of-a-secret"
EMPTY = b""
NO_OPERATION = (
    "ValidateResourceTypeConfig",
    "ValidateDataSourceConfig",
    "ValidateEphemeralResourceConfig",
    "Configure",
    "CloseEphemeralResource",
)


class Provider(grpc.GenericRpcHandler):  # type: ignore[misc,unused-ignore]
    """The gRPC calls of a plan."""

    def __init__(self, folder: Path, name: str, ended: threading.Event) -> None:
        self._schema = (folder / f"{name}.schema").read_bytes()
        self._computed: dict[str, dict[str, list[str]]] = json.loads(
            (folder / f"{name}.computed").read_text()
        )
        self._ended = ended

    def service(self, call: Any) -> Any:
        """The handler of a method, or None."""
        method = call.method.rsplit("/", 1)[1]
        answers: dict[str, Callable[[bytes], bytes]] = {
            "GetSchema": lambda _: self._schema,
            # Request and answer both have the configuration in field 1.
            "PrepareProviderConfig": lambda request: field(1, fields(request)[1]),
            "PlanResourceChange": self._plan,
            "OpenEphemeralResource": self._open,
            "Stop": lambda _: EMPTY,
            "Shutdown": self._shut_down,
        } | dict.fromkeys(NO_OPERATION, lambda _: EMPTY)
        if method not in answers:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda request, _: answers[method](request))

    def _plan(self, request: bytes) -> bytes:
        parts = fields(request)
        proposed = _value(parts[3])
        if proposed is not None:
            for name in self._computed["resources"][parts[1].decode()]:
                proposed[name] = UNKNOWN if proposed[name] is None else proposed[name]
            # Write-only arguments are not stored.
            proposed |= {name: None for name in proposed if name.endswith("_wo")}
        return field(1, _dynamic(proposed))

    def _open(self, request: bytes) -> bytes:
        opened = _value(fields(request)[2])
        for name in self._computed["ephemeral"][fields(request)[1].decode()]:
            opened[name] = CANARY if opened[name] is None else opened[name]
        return field(3, _dynamic(opened))

    def _shut_down(self, _: bytes) -> bytes:
        self._ended.set()
        return EMPTY


def _value(dynamic: bytes) -> Any:
    return msgpack.unpackb(fields(dynamic)[1], strict_map_key=False)


def _dynamic(value: object) -> bytes:
    return field(1, msgpack.packb(value))


def main() -> None:
    """Serve on a free port of the loopback address until Terraform calls Shutdown."""
    if "TF_PLUGIN_MAGIC_COOKIE" not in os.environ:
        raise SystemExit("Only Terraform can run this.")
    ended = threading.Event()
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers([Provider(Path(sys.argv[1]), sys.argv[2], ended)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"1|5|tcp|127.0.0.1:{port}|grpc", flush=True)
    ended.wait()
    server.stop(1)


if __name__ == "__main__":
    main()
