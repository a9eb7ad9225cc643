"""An independent verifier of the ledger, from its formats alone: C2SP tlog-tiles, tlog-checkpoint and signed-note.

Usage: verify_ledger.py DEMO.json, or verify_ledger.py --log URL-OR-FOLDER --vkey FILE [--bearer FILE].
It shares no code with the writer. It checks the signature of the checkpoint, computes every tile and the root again
from the entries, and then makes sure that it would notice one changed byte.
"""

import argparse
import base64
import hashlib
import json
import os
import sys
import urllib.request

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519 = 1
WIDTH = 256


class Broken(Exception):
    """The log is not what its checkpoint says."""


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def tile_path(level, number, width):
    """`tile/0/x001/x234/067` with `.p/W` for a tile that is not full."""
    digits = f"{number % 1000:03d}"
    number //= 1000
    while number:
        digits = f"x{number % 1000:03d}/{digits}"
        number //= 1000
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{digits}{partial}"


def verifier_key(text):
    """`NAME+KEYID+BASE64(TYPE KEY)`; the key id is bound to name and key."""
    name, key_id, encoded = text.strip().split("+", 2)
    blob = base64.b64decode(encoded, validate=True)
    if blob[0] != ED25519 or len(blob) != 33:
        raise Broken("the verifier key is not an Ed25519 key")
    expected = hashlib.sha256(name.encode() + b"\n" + blob).digest()[:4]
    if expected.hex() != key_id:
        raise Broken("the verifier key does not have its own id")
    return name, expected, Ed25519PublicKey.from_public_bytes(blob[1:])


def open_checkpoint(note, vkey):
    """Origin, size and root of a signed checkpoint."""
    name, key_id, key = verifier_key(vkey)
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    for line in signatures.splitlines():
        marker, signer, encoded = line.split(" ")
        blob = base64.b64decode(encoded, validate=True)
        if marker == "\u2014" and signer == name and blob[:4] == key_id:
            try:
                key.verify(blob[4:], text.encode())
            except InvalidSignature:
                raise Broken("the signature of the checkpoint is not valid") from None
            origin, size, root, *_ = text.split("\n")
            if origin != name:
                raise Broken(f"the checkpoint is of {origin}, not of {name}")
            return int(size), base64.b64decode(root, validate=True)
    raise Broken("the checkpoint is not signed by this key")


def entries_of(bundle, count):
    """Entries of one bundle: two bytes of length, then as many bytes."""
    entries, position = [], 0
    while position < len(bundle):
        length = int.from_bytes(bundle[position : position + 2], "big")
        entry = bundle[position + 2 : position + 2 + length]
        if len(entry) != length:
            raise Broken("a bundle of entries ends in the middle of one")
        entries.append(entry)
        position += 2 + length
    if len(entries) < count:
        raise Broken(f"a bundle holds {len(entries)} entries, and the checkpoint covers {count} of it")
    return entries[:count]


class Log:
    """Reads the files of a log over HTTP or from its folder."""

    def __init__(self, place, bearer=None):
        self.place = place.rstrip("/")
        self.headers = {"authorization": f"Bearer {bearer}"} if bearer else {}

    def read(self, path):
        if self.place.startswith("http"):
            request = urllib.request.Request(f"{self.place}/{path}", headers=self.headers)
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.read()
        with open(os.path.join(self.place, path), "rb") as file:
            return file.read()

    def tile(self, level, number, width):
        """A partial tile may be gone once the full one exists."""
        try:
            return self.read(tile_path(level, number, width))
        except OSError:
            if width == WIDTH:
                raise
            return self.read(tile_path(level, number, WIDTH))


def tiles(count):
    """Number and width of each tile over this many hashes."""
    return [(number, min(WIDTH, count - number * WIDTH)) for number in range((count + WIDTH - 1) // WIDTH)]


def root_of(hashes):
    """RFC 6962, section 2.1."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    # The peaks of the perfect subtrees, folded from the right.
    peaks = []
    for hashed in hashes:
        size = 1
        while peaks and peaks[-1][0] == size:
            _, left = peaks.pop()
            hashed, size = node_hash(left, hashed), size * 2
        peaks.append((size, hashed))
    _, root = peaks.pop()
    while peaks:
        _, left = peaks.pop()
        root = node_hash(left, root)
    return root


def verify(log, vkey, change=None):
    """The number of entries. `change` alters the entry at an index first, to see whether that is noticed."""
    size, root = open_checkpoint(log.read("checkpoint").decode(), vkey)
    hashes = []
    for number, width in tiles(size):
        entries = entries_of(log.tile("entries", number, width), width)
        for entry in entries:
            if len(hashes) == change:
                entry = bytes([entry[0] ^ 1]) + entry[1:]
            hashes.append(leaf_hash(entry))
    if root_of(hashes) != root:
        raise Broken("the entries do not have the root that was signed")
    level = 0
    while hashes:
        for number, width in tiles(len(hashes)):
            expected = b"".join(hashes[number * WIDTH : number * WIDTH + width])
            if log.tile(level, number, width)[: len(expected)] != expected:
                raise Broken(f"{tile_path(level, number, width)} does not follow from the entries")
        full = len(hashes) // WIDTH
        hashes = [root_of(hashes[number * WIDTH : (number + 1) * WIDTH]) for number in range(full)]
        level += 1
    return size


def of_demonstration(path):
    with open(path, encoding="utf-8") as file:
        info = json.load(file)
    folder = info["ledger_dir"]
    if not os.path.exists(os.path.join(folder, "checkpoint")):
        # What is published lies beside the write-ahead segments.
        folder = os.path.join(folder, "log")
    with open(info["vkey_file"], encoding="utf-8") as file:
        return Log(folder), file.read()


def of_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", required=True, help="address or folder in which `checkpoint` lies")
    parser.add_argument("--vkey", required=True, help="file with the verifier key")
    parser.add_argument("--bearer", help="file with a token, for tiles that need one")
    asked = parser.parse_args()
    bearer = None
    if asked.bearer:
        with open(asked.bearer, encoding="utf-8") as file:
            bearer = file.read().strip()
    with open(asked.vkey, encoding="utf-8") as file:
        return Log(asked.log, bearer), file.read()


def main():
    positional = len(sys.argv) == 2 and not sys.argv[1].startswith("-")
    log, vkey = of_demonstration(sys.argv[1]) if positional else of_arguments()
    try:
        size = verify(log, vkey)
    except (Broken, OSError, ValueError) as error:
        print(f"  FAIL {error}")
        print("0 passed, 1 failed")
        sys.exit(1)
    passed, failed = 1, 0
    print(f"  ok   {size} entries, every tile and the root follow from them, and the checkpoint is signed")
    for index in sorted({0, size // 2, size - 1} if size else ()):
        try:
            verify(log, vkey, change=index)
            print(f"  FAIL a change of entry {index} was not noticed")
            failed += 1
        except Broken as error:
            passed += 1
            print(f"  ok   a change of entry {index} would be noticed: {error}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
