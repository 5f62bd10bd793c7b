import base64
import hashlib
import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from stellapromote.signing import keyring
from stellapromote.signing.keyring import (
    KeyRefused,
    from_pem,
    key_id,
    load_or_create,
    public_jwk,
    public_key_from_pem,
    public_pem,
)
from stellapromote.signing.signatures import verify_der

# RFC 7515, appendix A.3: a published P-256 key as numbers and as JWK
PUBLISHED = ec.EllipticCurvePublicNumbers(
    x=0x7FCDCE2770F6C45D4183CBEE6FDB4B7B580733357BE9EF13BACF6E3C7BD15445,
    y=0xC7F144CD1BBD9B7E872CDFEDB9EEB9F4B3695D6EA90B24AD8A4623288588E5AD,
    curve=ec.SECP256R1(),
).public_key()

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def pem_of(key: Private, form: PrivateFormat = PrivateFormat.PKCS8, password: bytes | None = None) -> str:
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, protection).decode()


P256 = ec.generate_private_key(ec.SECP256R1())
PEM = pem_of(P256)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_id_is_the_digest_of_the_public_key_in_der() -> None:
    der = P256.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    assert key_id(P256.public_key()) == "sha256:" + hashlib.sha256(der).hexdigest()


def test_a_key_id_can_be_computed_from_the_published_pem() -> None:
    der = base64.b64decode("".join(public_pem(PUBLISHED).splitlines()[1:-1]))

    assert key_id(PUBLISHED) == "sha256:" + hashlib.sha256(der).hexdigest()


def test_a_key_from_pem_has_its_id_and_signs() -> None:
    key = from_pem(PEM)

    assert key.key_id == key_id(P256.public_key())
    assert verify_der(P256.public_key(), b"payload", key.sign(b"payload"))


@pytest.mark.parametrize("text", [PEM + "\n\n", "\n " + PEM, PEM.replace("\n", "\r\n"), PEM.strip()])
def test_white_space_around_a_pem_does_not_matter(text: str) -> None:
    assert from_pem(text).key_id == key_id(P256.public_key())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "PKCS#8"),
        ("secret", "PKCS#8"),
        (pem_of(P256, PrivateFormat.TraditionalOpenSSL), "PKCS#8"),  # BEGIN EC PRIVATE KEY
        (pem_of(P256, password=b"passphrase"), "unencrypted"),
        (public_pem(P256.public_key()), "PKCS#8"),
        (PEM + PEM, "one"),
        (PEM.strip().replace("\n", "\\n"), "cannot be read"),  # line breaks lost on the way through an environment file
        (PEM.replace(PEM.splitlines()[1], ""), "cannot be read"),
        (PEM.replace("\nM", "\nö"), "cannot be read"),
        (pem_of(rsa.generate_private_key(65537, 2048)), "P-256"),
        (pem_of(ed25519.Ed25519PrivateKey.generate()), "P-256"),
        (pem_of(ec.generate_private_key(ec.SECP384R1())), "P-256"),
        (pem_of(ec.generate_private_key(ec.SECP256K1())), "P-256"),
    ],
    ids=["empty", "text", "sec1", "encrypted", "public", "two", "escaped", "cut", "ö", "rsa", "ed25519", "p384", "k1"],
)
def test_only_one_unencrypted_pkcs8_key_on_p_256_is_taken(text: str, why: str) -> None:
    with pytest.raises(KeyRefused, match=why):
        from_pem(text)


def test_a_refused_key_is_not_shown() -> None:
    with pytest.raises(KeyRefused) as refused:
        from_pem(PEM + PEM)

    assert PEM.splitlines()[1] not in str(refused.value)


def test_a_signing_key_written_to_a_log_shows_only_its_id() -> None:
    assert repr(from_pem(PEM)) == f"SigningKey(key_id='{key_id(P256.public_key())}')"


def test_a_missing_key_file_is_made_and_kept(tmp_path: Path) -> None:
    made = load_or_create(tmp_path / "signing.pem")

    assert load_or_create(tmp_path / "signing.pem").key_id == made.key_id


def test_a_made_key_is_on_p_256(tmp_path: Path) -> None:
    assert isinstance(load_or_create(tmp_path / "signing.pem").private_key.curve, ec.SECP256R1)


def test_a_made_key_file_is_for_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_or_create(tmp_path / "keys" / "signing.pem")
    finally:
        os.umask(before)

    assert mode_of(tmp_path / "keys" / "signing.pem") == 0o600
    assert mode_of(tmp_path / "keys") == 0o700


def test_making_a_key_leaves_nothing_else_behind(tmp_path: Path) -> None:
    load_or_create(tmp_path / "signing.pem")

    assert [path.name for path in tmp_path.iterdir()] == ["signing.pem"]


def test_a_made_key_file_holds_what_from_pem_takes(tmp_path: Path) -> None:
    load_or_create(tmp_path / "signing.pem")

    assert from_pem((tmp_path / "signing.pem").read_text()).key_id == load_or_create(tmp_path / "signing.pem").key_id


def test_a_key_that_appears_meanwhile_is_taken_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    first = load_or_create(path)

    keyring._create(path)  # what a process does that saw no file a moment ago

    assert load_or_create(path).key_id == first.key_id
    assert [each.name for each in tmp_path.iterdir()] == ["signing.pem"]


def _load_when_told(
    path: str, barrier: "multiprocessing.synchronize.Barrier", found: "multiprocessing.Queue[str]"
) -> None:
    barrier.wait()
    found.put(load_or_create(Path(path)).key_id)


@pytest.mark.slow
def test_processes_starting_at_once_get_one_key(tmp_path: Path) -> None:
    processes = multiprocessing.get_context("spawn")
    barrier, found = processes.Barrier(4), processes.Queue()
    started = [
        processes.Process(target=_load_when_told, args=(str(tmp_path / "signing.pem"), barrier, found))
        for _ in range(4)
    ]
    for process in started:
        process.start()
    ids = {found.get(timeout=60) for _ in started}
    for process in started:
        process.join()

    assert ids == {load_or_create(tmp_path / "signing.pem").key_id}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620, 0o602, 0o777, 0o601])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "signing.pem"
    load_or_create(path)
    path.chmod(mode)

    with pytest.raises(KeyRefused, match=r"signing\.pem may be read or written by others \(mode 0\d{3}\)"):
        load_or_create(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_file_of_its_owner_alone_is_taken(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "signing.pem"
    path.write_text(PEM)
    path.chmod(mode)

    assert load_or_create(path).key_id == key_id(P256.public_key())


def test_a_link_to_a_key_file_is_judged_by_the_file(tmp_path: Path) -> None:
    load_or_create(tmp_path / "signing.pem")
    (tmp_path / "signing.pem").chmod(0o644)
    (tmp_path / "link.pem").symlink_to(tmp_path / "signing.pem")

    with pytest.raises(KeyRefused, match="by others"):
        load_or_create(tmp_path / "link.pem")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_damaged_key_file_is_refused_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "signing.pem"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(KeyRefused, match=r"signing\.pem: the signing key"):
        load_or_create(path)
    assert path.read_bytes() == content


def test_a_folder_in_the_place_of_the_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="not a regular file"):
        load_or_create(tmp_path)


def test_a_pipe_in_the_place_of_the_key_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "signing.pem", 0o600)

    with pytest.raises(KeyRefused, match="not a regular file"):
        load_or_create(tmp_path / "signing.pem")


def test_a_public_key_as_jwk_is_the_published_one() -> None:
    assert public_jwk(PUBLISHED) == {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "use": "sig",
        "kid": key_id(PUBLISHED),
    }


def test_a_coordinate_with_leading_zeros_keeps_its_width() -> None:
    # RFC 7518 §6.2.1.2: the full 32 bytes, 43 characters. The point with x = 5 lies on P-256.
    small = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x02" + (5).to_bytes(32, "big"))

    assert public_jwk(small)["x"] == "A" * 41 + "AU"


def test_a_public_key_survives_the_journey_as_pem() -> None:
    assert key_id(public_key_from_pem(public_pem(PUBLISHED))) == key_id(PUBLISHED)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "SubjectPublicKeyInfo"),
        ("ö", "SubjectPublicKeyInfo"),
        (PEM, "SubjectPublicKeyInfo"),
        (public_pem(ec.generate_private_key(ec.SECP384R1()).public_key()), "P-256"),
        (
            rsa.generate_private_key(65537, 2048)
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode(),
            "P-256",
        ),
    ],
    ids=["empty", "ö", "private", "p384", "rsa"],
)
def test_only_public_keys_on_p_256_are_taken(text: str, why: str) -> None:
    with pytest.raises(KeyRefused, match=why):
        public_key_from_pem(text)


def test_the_signing_kernel_loads_without_django() -> None:
    program = (
        "import sys, stellapromote.signing.dsse, stellapromote.errors, stellapromote.clock, stellapromote.ids;"
        "sys.exit('django' in sys.modules)"
    )

    ran = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[3], check=False)

    assert ran.returncode == 0
