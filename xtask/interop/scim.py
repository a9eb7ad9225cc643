"""Somebody else's SCIM conformance suite, PyPI `scim2-tester` through `scim2-cli`, against an installation of its own.

Usage: python scim.py PROGRAM
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from system import call, one_time_code

program = sys.argv[1]
tester = Path(sys.executable).parent / "scim2"
place = Path(tempfile.mkdtemp(prefix="modelward-scim-"))
failed = 0


def expect(name, held, told=""):
    global failed
    print(f"  {'ok  ' if held else 'FAIL'} {name}{'' if held or not told else ': ' + told}", flush=True)
    failed += not held


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def enrol(control, code):
    post = lambda path, body: call(control + path, json.dumps(body), "application/json")
    started = post("/api/v1/enrol", {"code": code})
    password = "a long walk by the river"
    now = time.time()
    post(
        "/api/v1/enrol/confirm",
        {"code": code, "password": password, "totp": one_time_code(started["secret"], now)},
    )
    login = {"name": started["name"], "password": password, "totp": one_time_code(started["secret"], now + 30)}
    return post("/api/v1/login", login)["session_secret"]


def serve(data):
    control_port, gateway_port = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "XDG_CONFIG_HOME": str(place / "config"),
        "MODELWARD_CONTROL_LISTEN": f"127.0.0.1:{control_port}",
        "MODELWARD_GATEWAY_LISTEN": f"127.0.0.1:{gateway_port}",
    }
    (place / "config").mkdir()
    made = subprocess.run(
        [program, "init", "dana", "--data-dir", data], env=environment, capture_output=True, text=True, check=True
    )
    (data / "keys.json").write_text(
        json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "alg": "EdDSA", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})
    )
    with (data / "modelward.toml").open("a") as config:
        config.write(
            '\n[issuers.corporate]\nurl = "https://id.example.org"\ntitle = "Corporate"\n'
            'cli_client_id = "cli"\nalgorithms = ["EdDSA"]\njwks_file = "keys.json"\ngroup_prefix = "corp-"\n'
        )
    output = None if os.environ.get("SHOW_LOG") else subprocess.DEVNULL
    serving = subprocess.Popen(
        [program, "serve", "--config", data / "modelward.toml"], env=environment, stdout=output, stderr=output
    )
    control = f"http://127.0.0.1:{control_port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(control + "/healthz/ready", timeout=5)
            return serving, control, made.stdout.strip()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit("the installation did not start")


def main():
    serving, control, code = serve(place / "data")
    try:
        dana = enrol(control, code)
        # The suite ends more people in a minute than a breaker should let pass.
        request = {"name": "tester", "issuer": "corporate", "pause_above": 100000, "pause_above_percent": 100}
        made = call(control + "/api/v1/scim-clients", json.dumps(request), "application/json", dana)
        told = subprocess.run(
            [tester, "--url", made["address"], "test", "--verbose"],
            env={"PATH": os.environ["PATH"], "SCIM_CLI_HEADERS": f"Authorization: Bearer {made['secret']}", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=900,
        )
        text = re.sub(r"\x1b\[[0-9;]*m", "", told.stdout)
        passed = len(re.findall(r"^SUCCESS ", text, re.MULTILINE))
        others = re.findall(r"^(?:ERROR|CRITICAL|SKIPPED|DEVIATION) .*(?:\n  .*)?", text, re.MULTILINE)
        print(f"  scim2-tester: {passed} checks passed, {len(others)} did not")
        for other in others:
            print("    " + other.replace("\n", "\n    ")[:2000])
        expect("every check passed", told.returncode == 0 and not others, told.stderr[-2000:])
        expect("and there were as many as were counted before", passed >= 80, str(passed))
    finally:
        serving.terminate()
        serving.wait(timeout=60)
        shutil.rmtree(place, ignore_errors=True)


main()
print(f"scim: {'all held' if not failed else f'{failed} did not hold'}")
sys.exit(1 if failed else 0)
