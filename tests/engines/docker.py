# ruff: noqa: T201, PTH123  # a program that talks to whoever called it, started a thousand times
"""The scripted `docker` command: `config` and `up` of Compose, over the scripted engine's socket in DOCKER_HOST.

Compose files are plain JSON here (which is YAML too), one level, without includes. `up` creates and starts the containers one by one over
the API, so that a kill leaves as many behind as it does with the real one.
"""

import hashlib
import http.client
import json
import os
import socket
import sys
import time
from typing import Any


class Connection(http.client.HTTPConnection):
    """HTTP over the engine's Unix socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))


def post(path: str, body: object = None) -> dict[str, Any]:
    connection = Connection("engine")
    connection.request("POST", path, json.dumps(body or {}), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status >= 300:
        raise OSError(json.loads(content)["message"])
    return json.loads(content) if content else {}


def main(arguments: list[str]) -> int:
    if arguments[:2] == ["compose", "version"]:
        print("2.26.1-scripted")
        return 0
    if arguments[:2] == ["context", "inspect"]:
        print(os.environ["DOCKER_HOST"])
        return 0
    options: dict[str, str] = {}
    rest = arguments[1:]
    while rest and rest[0].startswith("--"):
        options[rest[0]] = rest[1]
        rest = rest[2:]
    try:
        with open(options["--file"]) as file:
            document = json.load(file)
    except (OSError, ValueError) as failure:
        print(f"{options['--file']}: {failure}", file=sys.stderr)
        return 15
    document["name"] = options["--project-name"]
    if rest[0] == "config":
        print(json.dumps(document))
        return 0
    assert rest[0] == "up", rest
    assert {"--no-deps", "--no-recreate", "--no-build", "--detach"} <= set(rest), rest
    services = rest[rest.index("--") + 1 :]
    assert services, "up without names starts everything"
    return up(options["--project-name"], document["services"], services)


def up(project: str, configured: dict[str, Any], services: list[str]) -> int:
    made = []
    for service in services:
        fields = configured[service]
        labels = {
            "com.docker.compose.project": project,
            "com.docker.compose.service": service,
            "com.docker.compose.config-hash": hashlib.sha256(json.dumps(fields).encode()).hexdigest(),
        }
        body = {"project": project, "service": service, "labels": labels, "restart": fields.get("restart", "no")}
        made.append(post("/script/create", body))
    time.sleep(max(one["script"]["up_s"] for one in made))
    for one in made:
        if one["script"]["up_error"]:
            print(one["script"]["up_error"], file=sys.stderr)
            return 1
        while one["script"]["up_hangs"]:
            time.sleep(1)
        try:
            if one["status"] != "running":
                post(f"/containers/{one['id']}/start")
        except OSError as failure:
            print(f"Error response from daemon: {failure}", file=sys.stderr)
            return 1
    return 0


sys.exit(main(sys.argv[1:]))
