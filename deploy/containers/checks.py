"""What has to hold of the running compose file. Each check returns one line, or raises Broken."""

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
"""grafana has no stand-in: Debian has none."""


def until(fact: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for the fact. Raises Broken."""
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            raise Broken(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.5)


def client(composition: Composition) -> Client:
    """With a key that has just been made, as the README says."""
    said = composition.compose("run", "--rm", "migrate", "til-server", "bootstrap", "--json")
    return Client(composition.address("proxy", 8000), json.loads(said.splitlines()[-1])["key"])


def two_of_each(composition: Composition, asking: Client) -> str:
    """Two apis and two workers serve, and one of each is enough."""
    for service in ("api", "worker"):
        states = [healthy(one) for one in composition.containers(service)]
        if states != [True, True]:
            raise Broken(f"{service}: {states}")
    jobs = [asking.submit()["id"] for _ in range(20)]
    until(lambda: all(asking.job(job)["status"] == "succeeded" for job in jobs), "20 jobs succeeded")
    done = _counts(composition, "worker", "til_job_run_seconds_count")
    taken = _counts(composition, "api", 'til_submissions_total{outcome="accepted"}')
    if 0 in done or sum(done) < len(jobs) or 0 in taken:
        raise Broken(f"of {len(jobs)} jobs the apis took {taken}, the workers did {done}")
    for service in ("api", "worker"):
        composition.engine.docker("stop", composition.containers(service)[0]["Id"])
    for _ in range(10):
        if asking.submit(20)["status"] != "succeeded":
            raise Broken("a job beside a stopped api and a stopped worker")
    return f"two apis took {taken} jobs, two workers did {done}; one of each stopped, jobs go on"


def _counts(composition: Composition, service: str, metric: str) -> list[int]:
    """Of each container, from its own metrics, which are inside only."""
    program = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9100/metrics').read().decode())"
    found = []
    composition.none_died()
    for one in composition.containers(service):
        said = composition.engine.docker("exec", one["Id"], "python3", "-c", program)
        found.append(int(sum(map(float, re.findall(rf"^{re.escape(metric)} (\S+)$", said, re.MULTILINE)))))
    return found


def stops_and_comes_back(composition: Composition, asking: Client) -> str:
    """All end by themselves within their grace; after down and up the job is there."""
    job = asking.submit(30)
    if job["status"] != "succeeded":
        raise Broken(f"the job is {job['status']}")
    codes = composition.stop()
    took = codes.pop("all")
    killed = {name: code for name, code in codes.items() if code not in (0, 143)}
    if killed or took > GRACE_MS:
        raise Broken(f"stopped in {took} ms, exit codes {killed}")
    composition.compose("--profile", "cpu", "down")
    composition.up("--scale", "api=2", "--scale", "worker=2")
    again = Client(composition.address("proxy", 8000), asking.key).job(job["id"])["status"]
    if again != "succeeded":
        raise Broken(f"after down and up the job is {again}")
    return f"all stopped in {took} ms, none killed; the job outlives down and up"


def monitored(composition: Composition) -> str:
    """Prometheus finds every process, has its rules, and Alertmanager is there."""
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
        raise Broken(f"{len(rules)} rules, of which fail: {broken}")
    read(f"{composition.address('alertmanager', 9093)}/api/v2/status")
    return f"monitoring: {sum(wanted.values())} targets up, {len(rules)} rules"


def confined(composition: Composition) -> str:
    """No process of ours as root, no root file system to write to, no secret in an environment or a log."""
    secrets, logs, found = composition.secrets(), composition.logs(), list[str]()
    for one in composition.containers():
        name, shown = one["Name"], json.dumps(one["Config"])
        if not one["HostConfig"]["ReadonlyRootfs"]:
            found.append(f"{name} can write to its root")
        if one["Config"]["User"] in ("", "root", "0") and "postgres" not in name:
            found.append(f"{name} runs as root")
        found += [f"{name} was restarted"] if one["RestartCount"] else []
        found += [f"{name} shows {key}" for key, value in secrets.items() if value in shown]
    found += [f"a log shows {key}" for key, value in secrets.items() if value in logs]
    if found:
        raise Broken("; ".join(found))
    return f"{len(composition.containers())} containers confined, no secret in an environment or a log"


def worker_image(composition: Composition, asking: Client) -> str:
    """The worker's image, without vLLM: read-only, becomes healthy, does a job, ends by itself on SIGTERM."""
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
        if asking.submit(30)["status"] != "succeeded":
            raise Broken("the worker's image does no job")
        began = time.monotonic()
        docker("stop", "--time", "40", worker)
        took = time.monotonic() - began
        code = docker("inspect", "--format", "{{.State.ExitCode}}", worker)
        if code != "0":
            raise Broken(f"the worker's image ended with {code}: {composition.engine.tail(worker)}")
    finally:
        docker("rm", "--force", worker)
    return f"the worker's image did a job and ended in {took:.1f} s"
