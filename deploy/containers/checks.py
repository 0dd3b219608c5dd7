"""Checks of the running compose file. Each returns one line that describes its result, or raises Broken."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

from deploy.containers.composition import Composition, healthy
from deploy.containers.engine import Broken
from deploy.containers.images import WORKER
from deploy.containers.jobs import Client, read

GRACE_MS = 40_000
"""stop_grace_period of a worker."""
MONITORING = ("prometheus", "alertmanager", "node-exporter")
"""Without grafana, which is not in Debian, so that there is no stand-in for it."""


def until(fact: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Poll until `fact` is true. Raises Broken after `seconds`."""
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            raise Broken(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.5)


def new_client(composition: Composition) -> Client:
    """A client with a new key, made as the README describes."""
    output = composition.compose("run", "--rm", "migrate", "til-server", "bootstrap", "--json")
    return Client(composition.address("proxy", 8000), json.loads(output.splitlines()[-1])["key"])


def two_of_each(composition: Composition, client: Client) -> str:
    """Two apis and two workers share the load, and one of each can do it alone."""
    for service in ("api", "worker"):
        states = [healthy(one) for one in composition.containers(service)]
        if states != [True, True]:
            raise Broken(f"{service}: {states}")
    jobs = [client.submit()["id"] for _ in range(20)]
    until(lambda: all(client.job(job)["status"] == "succeeded" for job in jobs), "20 jobs succeeded")
    done = _counts(composition, "worker", "til_job_run_seconds_count")
    taken = _counts(composition, "api", 'til_submissions_total{outcome="accepted"}')
    if 0 in done or sum(done) < len(jobs) or 0 in taken:
        raise Broken(f"of {len(jobs)} jobs the apis took {taken}, the workers did {done}")
    for service in ("api", "worker"):
        composition.engine.docker("stop", composition.containers(service)[0]["Id"])
    for _ in range(10):
        if client.submit(20)["status"] != "succeeded":
            raise Broken("a job did not succeed with one api and one worker stopped")
    return f"two apis took {taken} jobs, two workers did {done}; one of each stopped, jobs go on"


def _counts(composition: Composition, service: str, metric: str) -> list[int]:
    """The metric's value of each container, read inside it: the port is not published."""
    program = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9100/metrics').read().decode())"
    found = []
    composition.none_died()
    for one in composition.containers(service):
        output = composition.engine.docker("exec", one["Id"], "python3", "-c", program)
        found.append(int(sum(map(float, re.findall(rf"^{re.escape(metric)} (\S+)$", output, re.MULTILINE)))))
    return found


def stops_and_comes_back(composition: Composition, client: Client) -> str:
    """All containers stop within their grace period; after down and up the job is still there."""
    job = client.submit(30)
    if job["status"] != "succeeded":
        raise Broken(f"the job is {job['status']}")
    took, codes = composition.stop()
    killed = {name: code for name, code in codes.items() if code not in (0, 143)}
    if killed or took > GRACE_MS:
        raise Broken(f"stopped in {took} ms, exit codes {killed}")
    composition.compose("--profile", "cpu", "down")
    composition.up("--scale", "api=2", "--scale", "worker=2")
    again = Client(composition.address("proxy", 8000), client.key).job(job["id"])["status"]
    if again != "succeeded":
        raise Broken(f"after down and up the job is {again}")
    return f"all stopped in {took} ms, none killed; the job is still there after down and up"


def monitored(composition: Composition) -> str:
    """Prometheus scrapes every process and evaluates its rules, and Alertmanager runs."""
    composition.up(*MONITORING)
    prometheus = composition.address("prometheus", 9090)
    wanted = {"api": 2, "worker": 2, "steward": 1, "node": 1, "prometheus": 1, "alertmanager": 1}

    def up() -> dict[str, int]:
        answer = read(f"{prometheus}/api/v1/query?query=sum%20by%20(job)(up)")
        return {one["metric"]["job"]: int(one["value"][1]) for one in answer["data"]["result"]}

    until(lambda: up() == wanted, f"targets up: {wanted}", seconds=120)
    groups = read(f"{prometheus}/api/v1/rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    broken = [rule["name"] for rule in rules if rule["health"] == "err"]
    if not rules or broken:
        raise Broken(f"{len(rules)} rules; these fail: {broken}")
    read(f"{composition.address('alertmanager', 9093)}/api/v2/status")
    return f"monitoring: {sum(wanted.values())} targets up, {len(rules)} rules"


def confined(composition: Composition) -> str:
    """No process of ours runs as root, root file systems are read-only, no secret is in a config or a log."""
    secrets, logs, found = composition.secrets(), composition.logs(), list[str]()
    containers = composition.containers()
    for one in containers:
        name, config = one["Name"], json.dumps(one["Config"])
        if not one["HostConfig"]["ReadonlyRootfs"]:
            found.append(f"{name} can write to its root file system")
        if one["Config"]["User"] in ("", "root", "0") and "postgres" not in name:
            found.append(f"{name} runs as root")
        found += [f"{name} was restarted"] if one["RestartCount"] else []
        found += [f"{name} shows {key}" for key, value in secrets.items() if value in config]
    found += [f"a log shows {key}" for key, value in secrets.items() if value in logs]
    if found:
        raise Broken("; ".join(found))
    return f"{len(containers)} containers confined, no secret in a config or a log"


def worker_image(composition: Composition, client: Client) -> str:
    """The worker's image, without vLLM, runs read-only, becomes healthy, does a job and stops on SIGTERM."""
    docker = composition.engine.docker
    for one in composition.containers("worker"):
        docker("stop", one["Id"])
    arguments = ["--detach", "--read-only", "--tmpfs=/tmp:exec", "--cap-drop=ALL"]
    arguments += [f"--network={composition.name}_data", "--env=TIL_ENGINE=outline", "--env=TIL_SLOTS=4"]
    for name in ("database_url", "redis_url"):
        arguments.append(f"--volume={composition.folder}/deploy/secrets/{name}:/run/secrets/{name}:ro")
        arguments.append(f"--env={name.upper()}_FILE=/run/secrets/{name}")
    worker = docker("run", *arguments, WORKER)
    try:
        status = ("inspect", "--format", "{{.State.Health.Status}}", worker)
        until(lambda: docker(*status) == "healthy", "the worker's image healthy")
        if client.submit(30)["status"] != "succeeded":
            raise Broken("the worker's image did not do a job")
        began = time.monotonic()
        docker("stop", "--time", "40", worker)
        took = time.monotonic() - began
        code = docker("inspect", "--format", "{{.State.ExitCode}}", worker)
        if code != "0":
            raise Broken(f"the worker's image ended with {code}: {composition.engine.tail(worker)}")
    finally:
        docker("rm", "--force", worker)
    return f"the worker's image did a job and ended in {took:.1f} s"
