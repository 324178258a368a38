"""The downloader against a server on this machine: broken transfers, wrong files, resume; and the idx reader."""

import contextlib
import gzip
import hashlib
import http.server
import threading

import pytest
import torch

from netsmith.core.errors import DataError
from netsmith.data._download import OfficialFile, cache_folder, download, official_files, offline
from netsmith.data._idx import read_idx

DATA = bytes(range(256)) * 2000
FILE = OfficialFile("numbers.bin", len(DATA), hashlib.sha256(DATA).hexdigest())


class Server(http.server.ThreadingHTTPServer):
    """Serves ``/good``, ``/broken`` (cuts the first two answers), ``/wrong``, ``/long``, ``/plain`` (ignores Range)."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.log: list[tuple[str, str | None]] = []


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.log.append((self.path, wanted))
        folder = self.path.split("/")[1]
        data = {"wrong": DATA[::-1], "long": DATA + b"x"}.get(folder, DATA)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and folder != "plain" else 0
        if folder == "missing":
            self.send_error(404)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        body = data[start:]
        if folder == "broken" and len(self.server.log) <= 2:
            body = body[: len(body) // 3]
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.base = f"http://127.0.0.1:{running.server_address[1]}"
        yield running
        running.shutdown()
        thread.join()


def fetch(server, tmp_path, *folders, file=FILE, **options):
    addresses = [f"{server.base}/{folder}/{file.name}" for folder in folders]
    return download(addresses, tmp_path / "cache", file, pause=0, timeout=5, **options)


def leftovers(tmp_path):
    return sorted(p.name for p in (tmp_path / "cache").iterdir() if not p.name.endswith(".lock"))


def test_download_once(server, tmp_path):
    path = fetch(server, tmp_path, "good")
    assert path.read_bytes() == DATA
    assert leftovers(tmp_path) == ["numbers.bin"]
    assert fetch(server, tmp_path, "good") == path
    assert len(server.log) == 1
    path.write_bytes(DATA[:-1] + b"!")  # a damaged cache is replaced
    assert fetch(server, tmp_path, "good").read_bytes() == DATA
    assert len(server.log) == 2


def test_a_broken_transfer_goes_on_where_it_stopped(server, tmp_path):
    assert fetch(server, tmp_path, "broken").read_bytes() == DATA
    first = len(DATA) // 3
    second = first + (len(DATA) - first) // 3
    assert [wanted for _, wanted in server.log] == [None, f"bytes={first}-", f"bytes={second}-"]


def test_resumes_in_another_process_later(server, tmp_path):
    with pytest.raises(DataError, match=r"could not be downloaded .*broke off after"):
        fetch(server, tmp_path, "broken", attempts=1)
    assert leftovers(tmp_path) == [".numbers.bin.part"]
    assert fetch(server, tmp_path, "good").read_bytes() == DATA
    assert server.log[-1][1] == f"bytes={len(DATA) // 3}-"


def test_a_server_without_ranges_starts_again(server, tmp_path):
    with pytest.raises(DataError):
        fetch(server, tmp_path, "broken", attempts=1)
    assert fetch(server, tmp_path, "plain").read_bytes() == DATA


def test_a_part_of_another_file_is_thrown_away(server, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / ".numbers.bin.part").write_bytes(b"?" * 1000)
    assert fetch(server, tmp_path, "good").read_bytes() == DATA
    assert [wanted for _, wanted in server.log] == ["bytes=1000-", None]


@pytest.mark.parametrize(
    ("folder", "message"),
    [("wrong", "SHA-256"), ("long", "longer than the 512000 bytes"), ("missing", "Not Found|404")],
)
def test_a_wrong_file_is_refused(server, tmp_path, folder, message):
    with pytest.raises(DataError, match=message) as caught:
        fetch(server, tmp_path, folder, attempts=2)
    assert len(str(caught.value)) <= 240
    assert "$NETSMITH_DATA/cache" in str(caught.value)
    assert not (tmp_path / "cache" / "numbers.bin").exists()
    assert len(server.log) == 2
    assert fetch(server, tmp_path, folder, "good").read_bytes() == DATA  # the second mirror is tried


def test_no_server_and_no_other_scheme(tmp_path):
    with pytest.raises(DataError, match="could not be downloaded"):
        download(["http://127.0.0.1:9/numbers.bin"], tmp_path, FILE, attempts=1, timeout=2)
    secret = tmp_path / "numbers.bin.txt"
    secret.write_bytes(DATA)
    with pytest.raises(DataError, match="not http or https"):
        download([secret.as_uri()], tmp_path / "cache", FILE, attempts=1)


def test_offline_downloads_nothing_and_says_what_is_missing(server, tmp_path, monkeypatch):
    monkeypatch.setenv("NETSMITH_OFFLINE", "1")
    with pytest.raises(DataError, match="NETSMITH_OFFLINE forbids"):
        download([f"{server.base}/good/numbers.bin"], tmp_path, FILE)
    monkeypatch.setenv("NETSMITH_OFFLINE", "0")
    with offline(), pytest.raises(DataError, match="not at hand"):
        download([f"{server.base}/good/numbers.bin"], tmp_path, FILE)
    assert server.log == []
    assert download([f"{server.base}/good/numbers.bin"], tmp_path, FILE).read_bytes() == DATA
    monkeypatch.setenv("NETSMITH_OFFLINE", "1")
    assert download([f"{server.base}/good/numbers.bin"], tmp_path, FILE).read_bytes() == DATA  # it is here


def test_the_users_folder_comes_first(server, tmp_path, monkeypatch):
    monkeypatch.setenv("NETSMITH_DATA", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cached"))
    (tmp_path / "mine" / "set").mkdir(parents=True)
    own = tmp_path / "mine" / "set" / FILE.name
    own.write_bytes(DATA)
    assert official_files("set", [FILE], mirrors=[f"{server.base}/good"]) == {FILE.name: own}
    assert not server.log
    own.write_bytes(DATA[:-1] + b"!")
    with pytest.raises(DataError, match=r"SHA-256 .* replace it by the official file"):
        official_files("set", [FILE], mirrors=[f"{server.base}/good"])
    own.unlink()
    found = official_files("set", [FILE], mirrors=[f"{server.base}/good/"])
    assert found[FILE.name] == cache_folder() / "set" / FILE.name == tmp_path / "cached/netsmith/data/set/numbers.bin"


def test_idx_reads_what_it_should(tmp_path):
    values = torch.arange(24, dtype=torch.uint8)
    header = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (2, 3, 4))
    (tmp_path / "a.gz").write_bytes(gzip.compress(header + bytes(values.tolist())))
    (tmp_path / "a").write_bytes(header + bytes(values.tolist()))
    for name in ("a", "a.gz"):
        assert torch.equal(read_idx(tmp_path / name, axes=3), values.view(2, 3, 4))
