"""Logs in by paramiko: log_in.py HOST USER KEY [--sftp | --one-password].

KEY is a file with an ed25519 key, a file with the seed of a hardware key ("hardware:FILE", or
"touched:FILE" for one that anybody may touch), or "-" for none. Whatever the host asks is
answered with the lines of the standard input. Ends with 1 when the host refuses.
"""

import hashlib
import sys

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519


class HardwareKey(paramiko.PKey):
    """What a hardware key answers, by a program: OpenSSH's PROTOCOL.u2f."""

    NAME = "sk-ssh-ed25519@openssh.com"
    APPLICATION = b"ssh:"
    PRESENT, VERIFIED = 1, 4

    def __init__(self, file, verified):
        with open(file, "rb") as seed:
            key = hashlib.sha256(seed.read()).digest()
        self.public_blob = None
        self.key = ed25519.Ed25519PrivateKey.from_private_bytes(key)
        self.flags = self.PRESENT | (self.VERIFIED if verified else 0)

    def get_name(self):
        return self.NAME

    def asbytes(self):
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        blob = paramiko.Message()
        blob.add_string(self.NAME)
        blob.add_string(self.key.public_key().public_bytes(*raw))
        blob.add_string(self.APPLICATION)
        return blob.asbytes()

    def sign_ssh_data(self, data, algorithm=None):
        touched = bytes([self.flags]) + (1).to_bytes(4, "big")
        hashed = hashlib.sha256(data).digest()
        signed = hashlib.sha256(self.APPLICATION).digest() + touched + hashed
        signature = paramiko.Message()
        signature.add_string(self.NAME)
        signature.add_string(self.key.sign(signed))
        signature.add_bytes(touched)
        return signature


def key_of(word):
    kind, _, file = word.rpartition(":")
    if kind:
        return HardwareKey(file, verified=kind == "hardware")
    return paramiko.Ed25519Key(filename=file)


def answer(title, instructions, prompts):
    answers = []
    for prompt, _echo in prompts:
        print(prompt, file=sys.stderr)
        answers.append(sys.stdin.readline().rstrip("\n"))
    return answers


def prove(transport, user, key):
    """By a key and what is asked after it, or by what is asked alone."""
    if key == "-":
        transport.auth_interactive(user, answer)
        return
    wanted = transport.auth_publickey(user, key_of(key))
    if wanted:
        print("then", *wanted, file=sys.stderr)
        transport.auth_interactive(user, answer)


def use(client, way):
    if way == "--sftp":
        sftp = client.open_sftp()
        with sftp.file("sent", "w") as file:
            file.write("by sftp")
        print(sftp.file("sent").read().decode(), sftp.stat("sent").st_uid)
        return
    _, output, _ = client.exec_command("id -un")
    print(output.read().decode().strip())


def main(host, user, key, way=""):
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    try:
        if way == "--one-password":
            password = sys.stdin.readline().rstrip("\n")
            client.connect(
                host, username=user, password=password, look_for_keys=False, allow_agent=False
            )
        else:
            client._transport = paramiko.Transport((host, 22))
            client._transport.start_client()
            prove(client._transport, user, key)
        use(client, way)
    except (paramiko.AuthenticationException, paramiko.SSHException) as refusal:
        print(type(refusal).__name__, refusal, file=sys.stderr)
        sys.exit(1)
    finally:
        client.close()


if __name__ == "__main__":
    if sys.argv[1] == "--public":
        hardware = HardwareKey(sys.argv[2], verified=True)
        print(hardware.get_name(), hardware.get_base64())
    else:
        main(*sys.argv[1:])
