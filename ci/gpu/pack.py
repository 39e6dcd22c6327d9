"""A pack made by ci/gpu-pack: an archive, its checksum, and the architecture it was built for."""

import hashlib
import json
import os
import pathlib
import sys
import tarfile

from runner import Stopped

ARCHIVE = "layerwise-gpu.tar.xz"
MANIFEST = "manifest.json"
MOST_UNPACKED = 2 << 30  # bytes


class Pack:
    """`folder`: the folder that ci/gpu-pack wrote."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.root = None
        try:
            self.manifest = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
            self.architecture, checksum = self.manifest["architecture"], self.manifest["sha256"]
        except FileNotFoundError:
            raise Stopped(f"{self.folder} is not a pack: it has no {MANIFEST}; make a pack with ci/gpu-pack") from None
        except (OSError, ValueError, KeyError, TypeError):
            raise Stopped(f"{self.folder / MANIFEST} is damaged; make a new pack with ci/gpu-pack") from None
        try:
            with open(self.folder / ARCHIVE, "rb") as file:
                found = hashlib.sha256()
                while piece := file.read(1 << 20):
                    found.update(piece)
        except OSError as error:
            raise Stopped(f"cannot read {self.folder / ARCHIVE}: {error.strerror}") from None
        if found.hexdigest() != checksum:
            raise Stopped(f"{self.folder / ARCHIVE} is damaged: its checksum differs from the manifest's; copy the pack again")

    def unpack(self, into):
        """Unpacks into an existing folder."""
        try:
            with tarfile.open(self.folder / ARCHIVE) as archive:
                members = archive.getmembers()
                if sum(member.size for member in members) > MOST_UNPACKED:
                    raise Stopped(f"{self.folder / ARCHIVE} is larger than any pack; do not use it")
                if not all(stays_inside(member) for member in members):
                    raise Stopped(f"{self.folder / ARCHIVE} has entries that point elsewhere; do not use it")
                known = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
                archive.extractall(into, members, **known)
        except (OSError, tarfile.TarError, EOFError) as error:
            raise Stopped(f"cannot unpack the pack into {into}: {error}") from None
        self.root = pathlib.Path(into) / "pack"

    def native(self, name):
        return self.root / "native" / name

    def java(self, *arguments):
        """A command that runs Layerwise on the pack's own Java runtime."""
        return [
            self.root / "runtime/bin/java",
            "-XX:+UseSerialGC",
            "-Djava.awt.headless=true",
            f"-Dorg.bytedeco.javacpp.cachedir={self.root / 'cache'}",
            "-cp",
            f"{self.root / 'app/classes'}:{self.root / 'app/lib'}/*",
            "dev.layerwise.cli.Main",
            *arguments,
        ]

    def libraries(self):
        return self.root / "app/classes/dev/layerwise/nativelib/linux-x86_64"

    def environment(self):
        """The environment of the pack's programs: they find NVIDIA's libraries in pip's packages and store engine choices here."""
        environment = dict(os.environ)
        folders = [str(self.libraries())] + [str(folder) for folder in nvidia_folders()]
        if environment.get("LD_LIBRARY_PATH"):
            folders.append(environment["LD_LIBRARY_PATH"])
        environment["LD_LIBRARY_PATH"] = ":".join(folders)
        environment["XDG_CACHE_HOME"] = str(self.root / "engines")
        environment.setdefault("HOME", str(self.root))
        environment["LC_ALL"] = "C.UTF-8"
        return environment


def stays_inside(member):
    """Whether an entry is a file or folder inside the archive, or a link to one."""
    path = os.path.normpath(member.name)
    if member.issym():
        target = os.path.normpath(os.path.join(os.path.dirname(path), member.linkname))
    else:
        target = path
    inside = all(not os.path.isabs(name) and name.split(os.sep)[0] == "pack" for name in (path, target))
    return inside and (member.isfile() or member.isdir() or member.issym())


def nvidia_packages():
    """The folders of pip's nvidia packages for this Python."""
    return [path / "nvidia" for path in map(pathlib.Path, sys.path) if (path / "nvidia").is_dir()]


def nvidia_folders():
    return [folder for packages in nvidia_packages() for folder in sorted(packages.glob("*/lib")) if folder.is_dir()]
