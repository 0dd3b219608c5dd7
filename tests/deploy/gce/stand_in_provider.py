"""A stand-in for Google's provider, run by Terraform: stand_in_provider.py FOLDER NAME.

It knows the real provider's schema (NAME.schema in the folder) and can plan: what is left open is unknown. It
can't apply. An ephemeral resource opens with a value that must never be seen in a plan.
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
NOTHING = b""
QUIET = (
    "ValidateResourceTypeConfig",
    "ValidateDataSourceConfig",
    "ValidateEphemeralResourceConfig",
    "Configure",
    "CloseEphemeralResource",
)


class Provider(grpc.GenericRpcHandler):  # type: ignore[misc,unused-ignore]
    """The calls that a plan makes."""

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
            "Stop": lambda _: NOTHING,
            "Shutdown": self._shut_down,
        } | dict.fromkeys(QUIET, lambda _: NOTHING)
        if method not in answers:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda request, _: answers[method](request))

    def _plan(self, request: bytes) -> bytes:
        asked = fields(request)
        wanted = _value(asked[3])
        if wanted is not None:
            for name in self._computed["resources"][asked[1].decode()]:
                wanted[name] = UNKNOWN if wanted[name] is None else wanted[name]
            # Write-only arguments are used and forgotten.
            wanted |= {name: None for name in wanted if name.endswith("_wo")}
        return field(1, _dynamic(wanted))

    def _open(self, request: bytes) -> bytes:
        opened = _value(fields(request)[2])
        for name in self._computed["ephemeral"][fields(request)[1].decode()]:
            opened[name] = CANARY if opened[name] is None else opened[name]
        return field(3, _dynamic(opened))

    def _shut_down(self, _: bytes) -> bytes:
        self._ended.set()
        return NOTHING


def _value(dynamic: bytes) -> Any:
    return msgpack.unpackb(fields(dynamic)[1], strict_map_key=False)


def _dynamic(value: object) -> bytes:
    return field(1, msgpack.packb(value))


def main() -> None:
    """Serve on a free port of the loopback address until Terraform has had enough."""
    if "TF_PLUGIN_MAGIC_COOKIE" not in os.environ:
        raise SystemExit("This is run by Terraform.")
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
