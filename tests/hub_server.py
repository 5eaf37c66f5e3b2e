"""A hub of models on the loopback address: the part of the Hugging Face Hub's HTTP interface that its own client,
`huggingface_hub`, uses for a preset. It keeps repositories in memory, writes down every request, and has faults."""

import base64
import hashlib
import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_token_of_the_tests"
LARGE = (".keras", ".npz", ".png")  # files that are uploaded by the protocol for large files
NAME = r"/(?:api/models/)?([\w.-]+/[\w.-]+?)"


def digest(content):
    return hashlib.sha256(content).hexdigest()


class Hub:
    """A running hub; a context manager.

    - `branches`: {(user/model, branch or tag): commit}; `commits`: {commit: {path: bytes}}.
    - `requests`: (method, path, user agent) of every request.
    - `cuts`: {path: [how many bytes are sent before the connection breaks, ...]}, one for each of the next requests.
    - `tampered`: {path: bytes that are sent instead}; `status`: an answer to everything, such as 503.
    """

    def __init__(self):
        self.branches, self.commits, self.large = {}, {}, {}
        self.requests, self.ranges, self.cuts, self.tampered, self.status = [], [], {}, {}, None
        self.stopped = False

    def __enter__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *error):
        self.stop()

    def stop(self):
        self.stopped = True
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def commit(self, name, files, branch="main"):
        """Adds files to a branch as a new commit; returns it."""
        before = self.commits.get(self.branches.get((name, branch)), {})
        files = {**before, **files}
        about = repr((name, len(self.commits), sorted((path, digest(content)) for path, content in files.items())))
        commit = hashlib.sha1(about.encode()).hexdigest()
        self.commits[commit] = files
        self.branches[name, branch] = commit
        return commit

    def find(self, name, revision):
        """The commit of a revision, or None."""
        if revision in self.commits:
            return revision
        return self.branches.get((name, revision))

    def has(self, name):
        return any(known == name for known, _ in self.branches)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=b"", **headers):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers["Content_Type"] = "application/json"
        self.send_response(status)
        self.send_header("Content-Length", headers.pop("Content_Length", str(len(body))))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def hang_up(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def handle_request(self):
        hub, path = self.hub, urlsplit(self.path).path
        if hub.stopped:  # a connection that the client kept
            return self.hang_up()
        hub.requests.append((self.command, path, self.headers.get("User-Agent", "")))
        content = self.body()
        if hub.status is not None:
            return self.answer(hub.status, {"error": "out of order"})
        for method, pattern, function in ROUTES:
            if self.command in method and (found := re.fullmatch(pattern, path)):
                if self.command in ("POST", "PUT") and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    if not path.startswith("/large/"):  # the client sends no token to a storage
                        return self.answer(401, {"error": "Invalid username or password."})
                return function(self, content, *map(unquote, found.groups()))
        return self.answer(404, {"error": f"no route {self.command} {path}"})

    do_GET = do_HEAD = do_POST = do_PUT = handle_request

    def commit_of(self, name, revision):
        """The commit of a revision; answers that there is none, and returns None."""
        if not self.hub.has(name):
            self.answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
            return None
        commit = self.hub.find(name, revision)
        if commit is None:
            self.answer(404, {"error": "Invalid rev id"}, X_Error_Code="RevisionNotFound")
        return commit

    def info(self, content, name, revision="main"):
        if commit := self.commit_of(name, revision):
            files = [{"rfilename": path, "size": len(data)} for path, data in self.hub.commits[commit].items()]
            self.answer(200, {"id": name, "sha": commit, "siblings": files, "private": False, "tags": []})

    def tree(self, content, name, revision):
        if commit := self.commit_of(name, revision):
            files = self.hub.commits[commit].items()
            self.answer(
                200, [{"type": "file", "path": path, "size": len(data), "oid": digest(data)} for path, data in files]
            )

    def file(self, content, name, revision, path):
        if (commit := self.commit_of(name, revision)) is None:
            return
        if path not in self.hub.commits[commit]:
            return self.answer(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
        data = self.hub.commits[commit][path]
        headers = {"ETag": f'"{digest(data)}"', "X_Repo_Commit": commit, "Accept_Ranges": "bytes"}
        data = self.hub.tampered.get(path, data)
        if self.command == "HEAD":
            return self.answer(200, Content_Length=str(len(data)), **headers)
        start, status = 0, 200
        if wanted := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            start, status = int(wanted[1]), 206
            headers["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self.hub.ranges.append((path, start))
        cuts = self.hub.cuts.get(path)
        if not cuts:
            return self.answer(status, data[start:], **headers)
        self.answer(status, data[start : start + cuts.pop(0)], Content_Length=str(len(data) - start), **headers)
        self.wfile.flush()
        self.hang_up()

    def create(self, content):
        asked = json.loads(content)
        name = f"{asked['organization']}/{asked['name']}"
        if self.hub.has(name):
            return self.answer(409, {"error": "You already created this model repo", "url": f"{self.hub.url}/{name}"})
        self.hub.commit(name, {".gitattributes": b""})
        self.answer(200, {"url": f"{self.hub.url}/{name}", "name": name})

    def validate(self, content):
        text = json.loads(content)["content"]
        right = text.startswith("---\n") and "\n---\n" in text
        errors = [] if right else [{"message": "no front matter"}]
        self.answer(200 if right else 400, {"errors": errors, "warnings": []})

    def preupload(self, content, name, revision):
        if self.commit_of(name, revision):
            files = json.loads(content)["files"]
            mode = {file["path"]: "lfs" if file["path"].endswith(LARGE) else "regular" for file in files}
            self.answer(
                200, {"files": [{"path": p, "uploadMode": way, "shouldIgnore": False} for p, way in mode.items()]}
            )

    def batch(self, content, name):
        objects = json.loads(content)["objects"]
        for one in objects:
            if one["oid"] not in self.hub.large:
                one["actions"] = {"upload": {"href": f"{self.hub.url}/large/{one['oid']}", "header": {}}}
        self.answer(200, {"transfer": "basic", "objects": objects})

    def store(self, content, oid):
        if digest(content) != oid:
            return self.answer(400, {"error": "another digest"})
        self.hub.large[oid] = content
        self.answer(200)

    def receive(self, content, name, revision):
        if self.commit_of(name, revision) is None:
            return
        lines = [json.loads(line) for line in content.splitlines()]
        files = {}
        for value in (line["value"] for line in lines if line["key"] == "file"):
            files[value["path"]] = base64.b64decode(value["content"])
        for value in (line["value"] for line in lines if line["key"] == "lfsFile"):
            files[value["path"]] = self.hub.large[value["oid"]]
        commit = self.hub.commit(name, files, revision)
        self.answer(200, {"commitUrl": f"{self.hub.url}/{name}/commit/{commit}", "commitOid": commit})


ROUTES = (
    (("GET",), rf"{NAME}", Handler.info),
    (("GET",), rf"{NAME}/revision/([^/]+)", Handler.info),
    (("GET",), rf"{NAME}/tree/([^/]+)", Handler.tree),
    (("GET", "HEAD"), rf"{NAME}/resolve/([^/]+)/(.+)", Handler.file),
    (("POST",), r"/api/repos/create", Handler.create),
    (("POST",), r"/api/validate-yaml", Handler.validate),
    (("POST",), rf"{NAME}/preupload/([^/]+)", Handler.preupload),
    (("POST",), rf"{NAME}\.git/info/lfs/objects/batch", Handler.batch),
    (("PUT",), r"/large/([0-9a-f]+)", Handler.store),
    (("POST",), rf"{NAME}/commit/([^/]+)", Handler.receive),
)
