#!/usr/bin/env python3
"""Verify a Modelward ledger with nothing but the Python standard library.

    verify_ledger.py LOG VERIFIER_KEY [--from-index N]

LOG is the folder that holds `checkpoint` and `tile/`, or the http(s) address it is served at. VERIFIER_KEY is the
log's public key in the form name+keyid+base64. Every entry is hashed, every tile compared, and the root must be the
one the log signed. Exit status: 0 intact, 1 damaged or incomplete, 2 no trustworthy checkpoint.

Written from the C2SP tlog-tiles, tlog-checkpoint and signed-note specifications and RFC 8032, independently of the
Rust verifier: two implementations must agree.
"""

import argparse
import base64
import hashlib
import pathlib
import sys
import urllib.error
import urllib.request

# --- Ed25519 (RFC 8032, section 5.1.7), for verification only -----------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_ONE = pow(2, (P - 1) // 4, P)


def decompress(data):
    """The point in extended coordinates, or None. Non-canonical encodings are refused."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * SQRT_MINUS_ONE % P
    if (x * x - xx) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def equal(p, q):
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_verify(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    key, r = decompress(public), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= L or equal(multiply(8, key), (0, 1, 1, 0)):
        return False
    challenge = hashlib.sha512(signature[:32] + public + message).digest()
    h = int.from_bytes(challenge, "little") % L
    return equal(multiply(s, BASE), add(r, multiply(h, key)))


# --- Signed notes and checkpoints ---------------------------------------------------------------------------------


class Untrusted(Exception):
    """There is no checkpoint by the trusted key."""


def parse_verifier_key(text):
    name, key_id, encoded = text.strip().split("+", 2)
    key = base64.b64decode(encoded, validate=True)
    expected = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if key[:1] != b"\x01" or len(key) != 33 or expected.hex() != key_id:
        raise Untrusted("the verifier key is malformed or not an Ed25519 key")
    return name, expected, key[1:]


def open_checkpoint(note, verifier):
    """The size and root that the log signed."""
    name, key_id, public = verifier
    text, separator, lines = note.decode().rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise Untrusted("the checkpoint is not a signed note")
    text += "\n"
    signed = False
    for line in lines[:-1].split("\n"):
        dash, signer, encoded = line.split(" ", 2)
        blob = base64.b64decode(encoded, validate=True)
        if dash == "\u2014" and signer == name and blob[:4] == key_id:
            if not ed25519_verify(public, text.encode(), blob[4:]):
                raise Untrusted("the checkpoint's signature is wrong")
            signed = True
    if not signed:
        raise Untrusted("the checkpoint is not signed by the trusted key")
    origin, size, root = text.split("\n")[:3]
    if origin != name or str(int(size)) != size:
        raise Untrusted("the checkpoint is of another log")
    return int(size), base64.b64decode(root, validate=True)


# --- Tiles --------------------------------------------------------------------------------------------------------


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def root_of(hashes):
    """RFC 6962: an odd last hash moves up unchanged."""
    while len(hashes) > 1:
        pairs = [hashlib.sha256(b"\x01" + hashes[i] + hashes[i + 1]).digest() for i in range(0, len(hashes) - 1, 2)]
        hashes = pairs + ([hashes[-1]] if len(hashes) % 2 else [])
    return hashes[0] if hashes else hashlib.sha256(b"").digest()


def tile_path(kind, index, width):
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return f"tile/{kind}/" + "/".join(groups) + (f".p/{width}" if width < 256 else "")


class Log:
    def __init__(self, place):
        self.place, self.remote = place.rstrip("/"), place.startswith(("http://", "https://"))

    def read(self, path):
        """The file, or None if it is missing. No file of a log is larger than 17 MiB."""
        try:
            if self.remote:
                with urllib.request.urlopen(f"{self.place}/{path}", timeout=30) as answer:
                    return answer.read(17 << 20)
            return pathlib.Path(self.place, path).read_bytes()
        except (urllib.error.HTTPError, FileNotFoundError, NotADirectoryError):
            return None

    def tile(self, kind, index, width):
        """The tile, or the full tile in place of a partial one."""
        data = self.read(tile_path(kind, index, width))
        return self.read(tile_path(kind, index, 256)) if data is None and width < 256 else data


class Verification:
    def __init__(self, log, size, from_index):
        self.log, self.size, self.from_index = log, size, from_index
        self.bad, self.problems, self.entries = None, [], 0

    def report(self, index, problem):
        self.bad = index if self.bad is None else min(self.bad, index)
        self.problems.append(f"{problem} (entry {index})")

    def leaves(self, index, width):
        """Leaf hashes of a bundle as far as it can be read, or None."""
        first, data, at, hashes = index * 256, self.log.tile("entries", index, width), 0, []
        if data is None:
            self.report(first, f"missing {tile_path('entries', index, width)}")
            return None
        while len(hashes) < width:
            length = int.from_bytes(data[at : at + 2], "big")
            entry = data[at + 2 : at + 2 + length]
            if at + 2 + length > len(data):
                self.report(first + len(hashes), "the bundle ends inside an entry")
                return None
            hashes.append(leaf_hash(entry))
            at += 2 + length
        self.entries += width
        return hashes

    def compare(self, level, index, computed):
        """Compares computed hashes with a tile; gives the tile's hashes if it can."""
        path, first = tile_path(level, index, len(computed) if computed else 256), index * 256 ** (level + 1)
        data = self.log.tile(level, index, len(computed))
        if data is None or len(data) < 32 * len(computed):
            self.report(first, f"missing or short {path}")
            return
        for position, expected in enumerate(computed):
            if data[32 * position : 32 * position + 32] != expected:
                span = 256**level
                start = first + position * span
                if self.bad is None or not start <= self.bad < start + span or level == 0:
                    self.report(start, f"a hash in {path} differs")
                return

    def run(self):
        rows = [[]]
        for index in range((self.size + 255) // 256):
            width = min(256, self.size - index * 256)
            if (index * 256 + width) > self.from_index:
                hashes = self.leaves(index, width)
            else:
                data = self.log.tile(0, index, width) or b""
                hashes = [data[at : at + 32] for at in range(0, 32 * width, 32)]
            if hashes is None:
                return None
            self.compare(0, index, hashes)
            rows[0] = hashes
            self.carry(rows, 0, index)
        for level in range(1, len(rows)):
            if rows[level]:
                self.compare(level, (self.size >> (8 * level)) // 256, rows[level])
        return self.root(rows)

    def carry(self, rows, level, index):
        """A full tile becomes one hash of the level above."""
        while len(rows[level]) == 256:
            if level > 0:
                self.compare(level, index, rows[level])
            if len(rows) == level + 1:
                rows.append([])
            rows[level + 1].append(root_of(rows[level]))
            rows[level] = []
            level, index = level + 1, index // 256

    @staticmethod
    def root(rows):
        """Unfinished tiles, from the lowest level up: each level's perfect subtrees, largest first."""
        right = None
        for row in rows:
            end = len(row)
            while end:
                width = end & -end
                peak = root_of(row[end - width : end])
                right = peak if right is None else hashlib.sha256(b"\x01" + peak + right).digest()
                end -= width
        return right if right is not None else hashlib.sha256(b"").digest()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("log", help="folder or address that holds `checkpoint` and `tile/`")
    parser.add_argument("key", help="the log's verifier key, name+keyid+base64, or a file that holds it")
    parser.add_argument("--from-index", type=int, default=0, help="do not read entries below this index")
    arguments = parser.parse_args()
    log, key = Log(arguments.log), arguments.key
    if "+" not in key:
        key = pathlib.Path(key).read_text()
    try:
        note = log.read("checkpoint")
        if note is None:
            raise Untrusted("there is no checkpoint")
        size, root = open_checkpoint(note, parse_verifier_key(key))
    except (Untrusted, ValueError) as error:
        print(f"untrusted: {error}")
        return 2
    verification = Verification(log, size, arguments.from_index)
    found = verification.run()
    if found != root and not verification.problems:
        verification.problems.append("the entries do not have the signed root")
    if not verification.problems:
        print(f"intact: {verification.entries} entries, root {root.hex()}")
        return 0
    print(f"damaged: {len(verification.problems)} problem(s)")
    print(f"first bad index: {'unknown' if verification.bad is None else verification.bad}")
    for problem in verification.problems[:20]:
        print(f"  {problem}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
