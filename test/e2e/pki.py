"""pki.py - certificates and keys for the tests, made with the openssl command line

Everything is made when it is first asked for and kept for the session: a name always means the same
certificate. Keys are 0600. Nothing here is ever a secret of anybody.
"""

import functools
import re
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

KEY_ARGS = {
    "ec256": ["EC", "ec_paramgen_curve:P-256"],
    "ec384": ["EC", "ec_paramgen_curve:P-384"],
    "ec521": ["EC", "ec_paramgen_curve:P-521"],
    "rsa1024": ["RSA", "rsa_keygen_bits:1024"],
    "rsa2048": ["RSA", "rsa_keygen_bits:2048"],
    "rsa3072": ["RSA", "rsa_keygen_bits:3072"],
    "rsa4096": ["RSA", "rsa_keygen_bits:4096"],
    "ed25519": ["ED25519", None],
}

PAST = ("20200101000000Z", "20210101000000Z")
FUTURE = ("20990101000000Z", "20991231000000Z")

CA_CONFIG = """\
[ca]
default_ca = one
[one]
database = {dir}/index
new_certs_dir = {dir}
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
preserve = yes
[any]
countryName = optional
organizationName = optional
commonName = optional
"""


def openssl(*args, stdin=None):
    """Run openssl; its words come with the exception when it fails."""
    done = subprocess.run(["openssl", *map(str, args)], input=stdin, capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(map(str, args))}\n{done.stderr.decode(errors='replace')}")
    return done.stdout


@dataclass(frozen=True)
class Cert:
    """One certificate, its key, and who issued it."""

    name: str
    crt: Path
    key: Path
    issuer: Optional["Cert"]

    @property
    def pem(self):
        return self.crt.read_text()

    @property
    def key_pem(self):
        return self.key.read_text()

    @property
    def chain_pem(self):
        """The leaf and the intermediates, without the root: what a peer sends."""
        out, at = self.pem, self.issuer
        while at is not None and at.issuer is not None:
            out += at.pem
            at = at.issuer
        return out

    @property
    def chain(self):
        """A file with chain_pem."""
        path = self.crt.with_suffix(".chain")
        if not path.exists():
            path.write_text(self.chain_pem)
        return path

    @functools.cached_property
    def der(self):
        return openssl("x509", "-in", self.crt, "-outform", "DER")

    @functools.cached_property
    def sha256(self):
        text = openssl("x509", "-in", self.crt, "-noout", "-fingerprint", "-sha256").decode()
        return text.split("=")[1].strip().replace(":", "").lower()

    @functools.cached_property
    def serial(self):
        """Hex, upper case, no leading zeros."""
        text = openssl("x509", "-in", self.crt, "-noout", "-serial").decode()
        return text.split("=")[1].strip().lstrip("0")

    @functools.cached_property
    def key_der(self):
        """PKCS#8."""
        return openssl("pkcs8", "-topk8", "-nocrypt", "-in", self.key, "-outform", "DER")

    @functools.cached_property
    def public_der(self):
        return openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")

    def key_numbers(self):
        """The secret numbers of the key by name, big-endian: scalar; exponent and primes of RSA."""
        text = openssl("pkey", "-in", self.key, "-noout", "-text").decode()
        wanted = {"priv": "scalar", "privateExponent": "d", "prime1": "p", "prime2": "q",
                  "exponent1": "dp", "exponent2": "dq", "coefficient": "qinv"}
        found = {}
        for match in re.finditer(r"^(\w+):\s*\n((?:\s+[0-9a-f:]+\n)+)", text, re.M):
            name = wanted.get(match[1])
            if name:
                found[name] = bytes.fromhex(re.sub(r"[\s:]", "", match[2])).lstrip(b"\0")
        return found


class Pki:
    """The certificates of one test session. Methods without arguments are the cast of the tests."""

    def __init__(self, directory):
        self.dir = Path(directory)
        self.dir.mkdir(mode=0o700, exist_ok=True)
        self.made = {}

    # --- the tools ---------------------------------------------------------------------------------
    def key(self, name, kind):
        path = self.dir / f"{name}.key"
        algorithm, option = KEY_ARGS[kind]
        options = ["-pkeyopt", option] if option else []
        if algorithm == "EC":
            options += ["-pkeyopt", "ec_param_enc:named_curve"]
        openssl("genpkey", "-algorithm", algorithm, *options, "-out", path)
        path.chmod(0o600)
        return path

    def root(self, name="root", kind="ec256"):
        """A self-signed authority."""
        if name not in self.made:
            key, crt = self.key(name, kind), self.dir / f"{name}.crt"
            openssl("req", "-new", "-x509", "-key", key, "-subj", f"/O=Example/CN={name}", "-days", 30,
                    "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                    "-addext", "subjectKeyIdentifier=hash", "-out", crt)
            self.made[name] = Cert(name, crt, key, None)
        return self.made[name]

    def issue(self, name, issuer=None, kind="ec256", *, subject=None, ca=False, eku="clientAuth", san=None,
              dates=None, digest="sha256", v1=False, extra=()):
        """A certificate of issuer (self.root() when left out; "self": signed by its own key)."""
        if name in self.made:
            return self.made[name]
        issuer = self.root() if issuer is None else issuer
        key, crt, csr, ext = (self.dir / f"{name}.{end}" for end in ("key", "crt", "csr", "ext"))
        self.key(name, kind)
        subject = f"/O=Example/CN={name}" if subject is None else subject
        openssl("req", "-new", "-key", key, "-subj", subject, "-out", csr)
        ext.write_text("\n".join(self.extensions(ca, eku, san, extra)) + "\n")
        extensions = [] if v1 else ["-extfile", ext]
        if dates:
            self.sign_dated(issuer, csr, crt, ext, dates)
        elif issuer == "self":
            openssl("x509", "-req", "-in", csr, "-signkey", key, "-days", 30, *extensions, "-out", crt)
            issuer = None
        else:
            openssl("x509", "-req", "-in", csr, "-CA", issuer.crt, "-CAkey", issuer.key, "-days", 30,
                    f"-{digest}", "-set_serial", f"0x40{secrets.token_hex(15)}", *extensions, "-out", crt)
        self.made[name] = Cert(name, crt, key, issuer)
        return self.made[name]

    @staticmethod
    def extensions(ca, eku, san, extra):
        yield f"basicConstraints=critical,CA:{'TRUE' if ca else 'FALSE'}"
        yield "keyUsage=critical," + ("keyCertSign,cRLSign" if ca else "digitalSignature")
        if eku:
            yield f"extendedKeyUsage={eku}"
        if san:
            yield f"subjectAltName={san}"
        yield "subjectKeyIdentifier=hash"
        yield "authorityKeyIdentifier=keyid"
        yield from extra

    def sign_dated(self, issuer, csr, crt, ext, dates):
        """openssl x509 of 3.0 cannot set a start date; openssl ca can."""
        where = self.dir / f"{crt.stem}.ca"
        where.mkdir()
        (where / "index").touch()
        config = where / "config"
        config.write_text(CA_CONFIG.format(dir=where))
        openssl("ca", "-config", config, "-batch", "-notext", "-preserveDN", "-in", csr, "-out", crt, "-cert", issuer.crt,
                "-keyfile", issuer.key, "-startdate", dates[0], "-enddate", dates[1], "-extfile", ext)

    # --- servers -----------------------------------------------------------------------------------
    def server(self, kind="ec256", number=1, **kw):
        """server("rsa2048"): names localhost, 127.0.0.1, ::1; another number is another certificate."""
        return self.issue(f"server-{kind}-{number}", kind=kind, eku="serverAuth",
                          san="DNS:localhost,IP:127.0.0.1,IP:::1", **kw)

    def server_expired(self):
        return self.issue("server-expired", eku="serverAuth", san="DNS:localhost", dates=PAST)

    # --- clients that are fine ---------------------------------------------------------------------
    def client(self, kind="ec256", number=1):
        return self.issue(f"client-{kind}-{number}", kind=kind, san="DNS:client.example,URI:spiffe://example.org/client")

    def client_no_eku(self):
        return self.issue("client-no-eku", eku=None)

    def client_of_rsa_root(self):
        return self.issue("client-of-rsa-root", self.root("rsa-root", "rsa2048"), "rsa2048")

    def intermediate(self, number=1):
        return self.issue(f"intermediate-{number}", ca=True, eku=None)

    def client_of_intermediate(self, number=1, kind="ec256"):
        return self.issue(f"client-{number}-{kind}-of-intermediate", self.intermediate(), kind)

    def client_two_deep(self):
        second = self.issue("deep-2", self.intermediate(), ca=True, eku=None)
        return self.issue("client-two-deep", second)

    # --- clients that must be refused --------------------------------------------------------------
    def client_three_deep(self):
        third = self.issue("deep-3", self.client_two_deep().issuer, ca=True, eku=None)
        return self.issue("client-three-deep", third)

    def client_self_signed(self):
        return self.issue("client-self-signed", "self")

    def client_other_ca(self):
        return self.issue("client-other-ca", self.root("other-root"))

    def client_same_name_ca(self):
        """Of an authority that only has our root's name."""
        name = "false-root"
        if name not in self.made:
            key, crt = self.key(name, "ec256"), self.dir / f"{name}.crt"
            openssl("req", "-new", "-x509", "-key", key, "-subj", "/O=Example/CN=root", "-days", 30, "-out", crt,
                    "-addext", "keyUsage=critical,keyCertSign")
            self.made[name] = Cert(name, crt, key, None)
        return self.issue("client-same-name-ca", self.made[name])

    def client_expired(self):
        return self.issue("client-expired", dates=PAST)

    def client_not_yet_valid(self):
        return self.issue("client-not-yet-valid", dates=FUTURE)

    def client_server_auth_only(self):
        return self.issue("client-server-auth-only", eku="serverAuth")

    def client_empty_dn(self):
        return self.issue("client-empty-dn", subject="/")

    def client_v1(self):
        return self.issue("client-v1", v1=True)

    def client_rsa1024(self):
        return self.issue("client-rsa1024", kind="rsa1024")

    def client_sha1(self):
        return self.issue("client-sha1", digest="sha1")

    def client_subject_is_issuer(self):
        return self.issue("client-subject-is-issuer", subject="/O=Example/CN=root")

    def client_of_server_only_intermediate(self):
        middle = self.issue("intermediate-server-only", ca=True, eku="serverAuth")
        return self.issue("client-of-server-only-intermediate", middle)

    def client_outside_constraint(self):
        middle = self.issue("intermediate-constrained", ca=True, eku=None,
                            extra=["nameConstraints=critical,permitted;DNS:inside.example"])
        return self.issue("client-outside-constraint", middle, san="DNS:outside.example")

    def client_of_leaf(self):
        """Issued by a certificate that is no authority."""
        return self.issue("client-of-leaf", self.client("ec256", 2))

    def client_tampered(self):
        """One bit of the signature is another."""
        name = "client-tampered"
        if name not in self.made:
            real = self.issue("client-untampered", subject=f"/O=Example/CN={name}")
            der = bytearray(real.der)
            der[-1] ^= 1
            crt = self.dir / f"{name}.crt"
            crt.write_bytes(openssl("x509", "-inform", "DER", stdin=bytes(der)))
            self.made[name] = Cert(name, crt, real.key, real.issuer)
        return self.made[name]

    def client_expired_intermediate(self):
        middle = self.issue("intermediate-expired", ca=True, eku=None, dates=PAST)
        return self.issue("client-expired-intermediate", middle)

    def client_expired_of_intermediate(self):
        return self.issue("client-expired-of-intermediate", self.intermediate(), dates=PAST)

    def client_expired_other_ca(self):
        return self.issue("client-expired-other-ca", self.root("other-root"), dates=PAST)

    # --- files that a server cannot use ------------------------------------------------------------
    def encrypted_key(self, cert):
        path = self.dir / f"{cert.name}.encrypted"
        openssl("pkey", "-in", cert.key, "-aes256", "-passout", "pass:word", "-out", path)
        return path.read_text()

    def traditional_key(self, cert):
        """PKCS#1 or SEC1."""
        return openssl("pkey", "-in", cert.key, "-traditional").decode()
