"""The demonstration system as a stranger finds it: the file it writes, and signing in with a second factor.

Only the standard library, and nothing of ours: RFC 6238 and RFC 8693 are written out here.
"""

import base64
import hashlib
import hmac
import json
import struct
import sys
import time
import urllib.error
import urllib.parse
import urllib.request


def load():
    with open(sys.argv[1], encoding="utf-8") as file:
        return json.load(file)


def one_time_code(secret, now):
    """RFC 6238 with SHA-1, six digits, thirty seconds."""
    key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(now) // 30), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def call(url, body, content_type, bearer=None):
    headers = {"content-type": content_type}
    if bearer:
        headers["authorization"] = f"Bearer {bearer}"
    request = urllib.request.Request(url, data=body.encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def holder(info, *privileges, without=()):
    """Somebody who holds these privileges, and none of the others."""
    for user in info["users"]:
        if set(privileges) <= set(user["holds"]) and not set(without) & set(user["holds"]):
            return user
    raise SystemExit(f"nobody in the demonstration holds {privileges} without {without}")


def sign_in(info, user):
    """A session secret. A code counts once and is taken half a minute early; else the next one is due."""
    for _ in range(3):
        now = time.time()
        body = {
            "name": user["name"],
            "password": user["password"],
            "totp": one_time_code(user["totp_secret"], now + 30),
        }
        try:
            answer = call(info["control_url"] + "/api/v1/login", json.dumps(body), "application/json")
            return answer["session_secret"]
        except urllib.error.HTTPError:
            time.sleep(30 - now % 30 + 1)
    raise SystemExit(f"{user['name']} cannot sign in")


def token(info, session, scope):
    """An access token for the gateway (RFC 8693)."""
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:modelward:params:oauth:token-type:session",
        "subject_token": session,
        "scope": scope,
    }
    url = info["control_url"] + "/api/v1/token"
    body = urllib.parse.urlencode(form)
    return call(url, body, "application/x-www-form-urlencoded", session)["access_token"]


class Checks:
    """Named expectations; all are tried, and the exit code tells whether all held."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def expect(self, name, held, told=""):
        print(f"  {'ok  ' if held else 'FAIL'} {name}" + (f": {str(told)[:300]}" if not held and told else ""))
        self.passed += bool(held)
        self.failed += not held

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed else 0)
