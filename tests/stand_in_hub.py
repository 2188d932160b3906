"""A stand-in for the Hugging Face Hub on this machine: the routes that huggingface_hub uses to download and to push."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Repository:
    """A repository: every commit with all of its files, and what the branches and tags are."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Add or replace files; returns the new commit."""
        before = self.commits.get(self.refs.get(branch, ""), {})
        listing = json.dumps([len(self.commits), sorted(before), sorted(files)]).encode()
        oid = hashlib.sha1(listing + b"".join(files.values())).hexdigest()
        self.commits[oid] = {**before, **files}
        self.refs[branch] = oid
        return oid

    def files_at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit that a revision is, and its files."""
        oid = self.refs.get(revision, revision)
        return (oid, self.commits[oid]) if oid in self.commits else None


class Hub(ThreadingHTTPServer):
    """The server. Large files (``*.safetensors``) are handed out by another host, as the real one does."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, Repository] = {}
        self.renamed: dict[str, str] = {}
        self.tokens: dict[str, set[str]] = {"hf_writer": {"read", "write"}, "hf_reader": {"read"}}
        self.large_files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.tokens_at_other_host: list[str | None] = []
        self.ranges: list[str] = []
        self.truncations = 0
        self.served_instead: bytes | None = None
        self.yaml_errors: list[str] = []
        self.before_commit: Callable[[], object] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, name: str, files: dict[str, bytes], **properties: bool) -> str:
        """A repository with one commit, whose hash is returned."""
        self.repositories[name] = Repository(**properties)
        for content in files.values():
            self.large_files[sha256(content)] = content
        return self.repositories[name].commit(files)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up early is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        """Keep the tests' output clean."""

    # Answers

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_json(self, value: Any, status: int = 200) -> None:
        self.answer(status, json.dumps(value).encode(), Content_Type="application/json")

    def refuse(self, status: int, code: str = "", message: str = "") -> None:
        headers = {"X_Error_Code": code} if code else {}
        body = json.dumps({"error": message}).encode()
        self.answer(status, body, X_Error_Message=message, Content_Type="application/json", **headers)

    # Who asks, and for what

    @property
    def token(self) -> str | None:
        header = self.headers.get("Authorization")
        return header.removeprefix("Bearer ") if header else None

    def may(self, right: str) -> bool:
        return right in self.server.tokens.get(self.token or "", set())

    def repository(self, name: str, right: str = "read") -> Repository | None:
        """The repository, or None where a refusal or a redirect was the answer."""
        if name in self.server.renamed:
            self.answer(307, Location=self.path.replace(name, self.server.renamed[name], 1))
            return None
        if self.token is not None and self.token not in self.server.tokens:
            self.refuse(401, message="Invalid credentials in Authorization header")
            return None
        repository = self.server.repositories.get(name)
        if repository is None or (repository.private and not self.may("read")):
            self.refuse(404 if self.token else 401, "RepoNotFound", "Repository not found")
            return None
        if repository.gated:
            self.refuse(403, "GatedRepo", "Access to this model is restricted")
            return None
        if right == "write" and not self.may("write"):
            self.refuse(403, message="this token may only read")
            return None
        return repository

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.route(
            {
                r"/large/(\w+)": self.get_large_file,
                r"/api/models/([^/]+/[^/]+)": lambda name: self.get_info(name, "main"),
                r"/api/models/([^/]+/[^/]+)/revision/([^/]+)": self.get_info,
                r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)": self.get_file,
            }
        )

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.body = self.rfile.read(length)
        self.route(
            {
                r"/api/validate-yaml": self.post_validation,
                r"/api/repos/create": self.post_repository,
                r"/api/models/([^/]+/[^/]+)/branch/([^/]+)": self.post_branch,
                r"/api/models/([^/]+/[^/]+)/preupload/([^/]+)": self.post_preupload,
                r"/api/models/([^/]+/[^/]+)/commit/([^/]+)": self.post_commit,
                r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch": self.post_large_files,
            }
        )

    def do_PUT(self) -> None:
        self.server.requests.append((self.command, self.path))
        content = self.read_body()
        self.server.large_files[sha256(content)] = content
        self.answer(200)

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def route(self, routes: dict[str, Callable[..., None]]) -> None:
        path = urlsplit(self.path).path
        self.server.requests.append((self.command, path))
        for pattern, answer in routes.items():
            if match := re.fullmatch(pattern, path):
                answer(*map(unquote, match.groups()))
                return
        raise AssertionError(f"the stand-in has no route for {self.command} {path}")

    # Downloads

    def get_info(self, name: str, revision: str) -> None:
        repository = self.repository(name)
        if repository is None:
            return
        found = repository.files_at(revision)
        if found is None:
            self.refuse(404, "RevisionNotFound", "Invalid rev id")
            return
        siblings = [{"rfilename": path} for path in found[1]]
        self.answer_json({"id": name, "sha": found[0], "private": repository.private, "siblings": siblings})

    def get_file(self, name: str, revision: str, path: str) -> None:
        repository = self.repository(name)
        if repository is None:
            return
        found = repository.files_at(revision)
        if found is None:
            self.refuse(404, "RevisionNotFound", "Invalid rev id")
            return
        commit, files = found
        if path not in files:
            self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
            return
        content = files[path]
        if path.endswith(".safetensors"):
            digest = sha256(content)
            self.answer(
                302,
                Location=f"http://localhost:{self.server.server_address[1]}/large/{digest}",
                X_Repo_Commit=commit,
                X_Linked_Etag=f'"{digest}"',
                X_Linked_Size=str(len(content)),
            )
        else:
            self.answer(200, content, X_Repo_Commit=commit, ETag=f'"{git_hash(content)}"')

    def get_large_file(self, digest: str) -> None:
        self.server.tokens_at_other_host.append(self.token)
        content = self.server.served_instead or self.server.large_files[digest]
        asked = self.headers.get("Range")
        if asked:
            self.server.ranges.append(asked)
            first = int(asked.removeprefix("bytes=").partition("-")[0])
            rest = content[first:]
            self.answer(206, rest, Content_Range=f"bytes {first}-{len(content) - 1}/{len(content)}")
        elif self.server.truncations:
            self.server.truncations -= 1
            self.answer(200, content[: len(content) // 2], Content_Length=str(len(content)))
            self.close_connection = True
        else:
            self.answer(200, content)

    # Pushes

    def post_validation(self) -> None:
        errors = [{"message": message} for message in self.server.yaml_errors]
        self.answer_json({"errors": errors, "warnings": []}, status=400 if errors else 200)

    def post_repository(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        if self.token not in self.server.tokens:
            self.refuse(401, message="Invalid credentials in Authorization header")
        elif not self.may("write"):
            self.refuse(403, message="You don't have the rights to create a model under this namespace")
        elif name in self.server.repositories:
            self.answer_json({"error": "You already created this model repo", "url": f"{self.server.url}/{name}"}, 409)
        else:
            self.server.add(name, {".gitattributes": b"*.safetensors filter=lfs"})
            self.server.repositories[name].private = asked.get("visibility") == "private"
            self.answer_json({"url": f"{self.server.url}/{name}"})

    def post_branch(self, name: str, branch: str) -> None:
        repository = self.repository(name, "write")
        if repository is None:
            return
        if branch in repository.refs:
            self.refuse(409, message="Reference already exists")
            return
        repository.refs[branch] = repository.refs["main"]
        self.answer_json({})

    def post_preupload(self, name: str, revision: str) -> None:
        repository = self.repository(name, "write")
        if repository is None:
            return
        found = repository.files_at(revision)
        there = found[1] if found else {}
        files = []
        for file in json.loads(self.body)["files"]:
            path, mode = file["path"], "lfs" if file["path"].endswith(".safetensors") else "regular"
            known = there.get(path)
            oid = None if known is None else sha256(known) if mode == "lfs" else git_hash(known)
            files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self.answer_json({"files": files})

    def post_large_files(self, name: str) -> None:
        if self.repository(name, "write") is None:
            return
        objects = []
        for item in json.loads(self.body)["objects"]:
            known = item["oid"] in self.server.large_files
            upload = {"upload": {"href": f"{self.server.url}/large/{item['oid']}"}}
            objects.append({**item} if known else {**item, "actions": upload})
        self.answer_json({"transfer": "basic", "objects": objects})

    def post_commit(self, name: str, branch: str) -> None:
        repository = self.repository(name, "write")
        if repository is None:
            return
        self.server.before_commit()
        header, *operations = [json.loads(line) for line in self.body.splitlines()]
        if header["value"].get("parentCommit") not in (None, repository.refs[branch]):
            self.refuse(412, message="A commit has happened since. Please refresh and try again.")
            return
        files = {}
        for operation in operations:
            value = operation["value"]
            large = operation["key"] == "lfsFile"
            content = self.server.large_files[value["oid"]] if large else base64.b64decode(value["content"])
            files[value["path"]] = content
        oid = repository.commit(files, branch)
        self.answer_json({"commitUrl": f"{self.server.url}/{name}/commit/{oid}", "commitOid": oid})


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The stand-in, and huggingface_hub told to ask it, with an empty cache and without a token."""
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    from tipr_zoo.hub import download as hub_download
    from tipr_zoo.hub import weights as hub_weights

    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the client's attempts
    hub_weights._fetch.cache_clear()
    hub_download._log_resolution.cache_clear()
    _http.close_session()
    yield server
    _http.close_session()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Turns offline mode on, as ``HF_HUB_OFFLINE=1`` does for a new process."""
    from huggingface_hub import constants

    from tipr_zoo.hub import weights as hub_weights

    def turn_on() -> None:
        hub_weights._fetch.cache_clear()
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    return turn_on
