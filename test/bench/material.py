"""material.py - certificates, large authorities' files and revocation lists for the benchmark"""
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent


def both(directory, name):
    """NAME.pem: certificate and key in one file, as some servers want it."""
    text = (directory / f"{name}.crt").read_text() + (directory / f"{name}.key").read_text()
    (directory / f"{name}.pem").write_text(text)


def make(home):
    """An EC root; server and client EC in ec/, an RSA-2048 server of the same root in rsa/; a stranger's client."""
    def pki(directory, *options):
        directory.mkdir(exist_ok=True)
        subprocess.run([TOP / "etc/mkpki", "-d", directory, *options], check=True, capture_output=True)

    pki(home / "ec")
    pki(home / "stranger")
    (home / "rsa").mkdir()
    for name in ("root.crt", "root.key"):
        (home / "rsa" / name).write_bytes((home / "ec" / name).read_bytes())
    pki(home / "rsa", "-k", "rsa2048", "-o", "server:server")
    both(home / "ec", "server")
    both(home / "ec", "client")
    both(home / "rsa", "server")


def clients(home, how_many):
    """A file of so many clients' certificates, all of ec/client's key."""
    path = home / f"clients-{how_many}.crt"
    if path.exists():
        return path
    ec, purpose = home / "ec", home / "client.ext"
    purpose.write_text("basicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n"
                       "extendedKeyUsage = clientAuth\n")
    text = []
    for number in range(1, how_many + 1):
        request = subprocess.run(["openssl", "req", "-new", "-key", ec / "client.key", "-subj", f"/CN=client {number}"],
                                 check=True, capture_output=True).stdout
        text.append(subprocess.run(
            ["openssl", "x509", "-req", "-CA", ec / "root.crt", "-CAkey", ec / "root.key", "-set_serial", str(number), "-days", "30",
             "-extfile", purpose], input=request, check=True, capture_output=True).stdout.decode())
    path.write_text("".join(text))
    return path


def authorities(home, how_many):
    """A file of so many authorities; the one that has issued the client is the last."""
    path = home / f"authorities-{how_many}.crt"
    if path.exists():
        return path
    text = []
    for number in range(1, how_many):
        text.append(subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
             "/dev/null", "-subj", f"/CN=authority {number}", "-days", "30", "-addext", "keyUsage=critical,keyCertSign,cRLSign"], check=True, capture_output=True, text=True).stdout)
    path.write_text("".join(text) + (home / "ec" / "root.crt").read_text())
    return path


def revoked(home, how_many):
    """A list of the root's with so many revoked certificates, none of them the client's."""
    path = home / f"revoked-{how_many}.crl"
    if path.exists():
        return path
    with open(home / "index.txt", "w", encoding="ascii") as index:
        for number in range(how_many):
            index.write(f"R\t491231235959Z\t250101000000Z\t{(1 << 64) + number:018X}\tunknown\t/CN=gone {number}\n")
    conf = home / "crl.conf"
    conf.write_text(f"[ca]\ndefault_ca = it\n[it]\ndatabase = {home}/index.txt\ndefault_md = sha256\n"
                    f"default_crl_days = 30\ncrlnumber = {home}/crlnumber\nunique_subject = no\ncrl_extensions = ext\n"
                    "[ext]\nauthorityKeyIdentifier = keyid\n")
    (home / "crlnumber").write_text("01\n")
    subprocess.run(["openssl", "ca", "-config", conf, "-gencrl", "-keyfile", home / "ec/root.key",
                    "-cert", home / "ec/root.crt", "-out", path], check=True, capture_output=True)
    return path
