"""Chromium, headless, with a client certificate of its own certificate store: what people's browsers do by default. Not
among the tests that run everywhere: `make interop`, as root, because Chromium reads the rule which certificate to show
from /etc alone"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from waiting import DEADLINE

POLICY = Path("/etc/chromium/policies/managed/mtlsd-interop.json")
# nothing that it may want to say to others than us
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost"]


def need(name):
    path = shutil.which(name)
    if not path:
        pytest.fail(f"{name} is not installed: etc/deps interop", pytrace=False)
    return path


def run(*command, **kw):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=4 * DEADLINE, check=False,
                          stdin=subprocess.DEVNULL, **kw)
    assert done.returncode == 0, f"{command[0]}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def browser(pki, tmp_path):
    """browser(port): the page as Chromium has it in the end. Its store holds our root and one client certificate."""
    chromium, certutil, pk12util = (need(name) for name in ("chromium", "certutil", "pk12util"))
    store = tmp_path / ".pki" / "nssdb"
    store.mkdir(parents=True)
    cert, bundle = pki.client(), tmp_path / "client.p12"
    run("openssl", "pkcs12", "-export", "-inkey", cert.key, "-in", cert.crt, "-name", "client", "-passout", "pass:", "-out", bundle)
    run(certutil, "-N", "-d", f"sql:{store}", "--empty-password")
    run(certutil, "-A", "-d", f"sql:{store}", "-n", "root", "-t", "C,,", "-i", pki.root().crt)
    run(pk12util, "-i", bundle, "-d", f"sql:{store}", "-W", "")
    made = [path for path in POLICY.parents if not path.exists()]
    print(run(chromium, "--version").strip())

    def look(port):
        rule = json.dumps({"pattern": f"https://localhost:{port}", "filter": {}})
        POLICY.parent.mkdir(parents=True, exist_ok=True)
        POLICY.write_text(json.dumps({"AutoSelectCertificateForUrls": [rule]}))
        return run(chromium, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", f"https://localhost:{port}/",
                   env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]})
    yield look
    POLICY.unlink(missing_ok=True)
    for path in made:
        path.rmdir()


@pytest.mark.root
@pytest.mark.parametrize("groups,group", [(None, "X25519MLKEM768"), ("X25519", "X25519")])
def test_chromium(browser, mtlsd, pki, groups, group):
    daemon = mtlsd(protocol="http", upstream='respond:200 "the browser is in"', groups=groups)
    assert "the browser is in" in browser(daemon.address[1])
    done = daemon.wait("done", sha256=pki.client().sha256)
    assert (done["tls"], done["group"], done["requests"] != "0") == ("1.3", group, True)
