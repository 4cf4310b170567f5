# SPDX-License-Identifier: Apache-2.0
"""fleet.toml: which members there are, what they hold, and the limits of the endpoint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from tinyserve import boards
from tinyserve.documents import from_toml
from tinyserve.errors import FileSystemError, TinyserveError, UsageError
from tinyserve.escapes import visible

Identifier = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")]
Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1, le=2**40)]
Milliseconds = Annotated[float, Meta(gt=0, le=86_400_000)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Share = Annotated[float, Meta(ge=0, le=1)]
Quantize = Literal["int8", "int16x8", "float32", "auto"]
Optimize = Literal["balanced", "speed", "size", "ram"]
Kind = Literal["board", "twin", "host"]
Link = Annotated[str, Meta(min_length=1, max_length=1024)]
LOOPBACK = ("127.0.0.1", "localhost", "::1")
USB = "usb:"
TWIN_OF = "twin:"
BAUD = 115_200
_EXAMPLE = 'for example [models.kws] source = "kws.bundle" and [members.one] model = "kws", link = "host"'


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: an unknown key is an error, since it would be a setting that has no effect."""


class Server(_Table, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[server]. ``grpc_port`` and ``port`` 0: one that is free. ``token_file`` holds the bearer token that
    each request must carry; ``client_ca`` names the authority whose certificates clients must show.
    ``hosts``: names beside localhost by which clients may address a server that asks for no token.
    ``traces``: where an OpenTelemetry collector takes them (OTLP over HTTP)."""

    host: str = "127.0.0.1"
    port: Port = 8000
    grpc_port: Port = 8001
    grpc: bool = True
    certificate: str = ""
    key: str = ""
    client_ca: str = ""
    token_file: str = ""
    hosts: list[str] = []
    traces: str = ""
    drain_s: Seconds = 30.0


class Limits(_Table, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[limits]: of what a client may ask. ``queue``: samples that wait, per model; ``deadline_ms``: of
    requests that name none, and the longest that one may name; ``batch``: samples of one request."""

    queue: Positive = 256
    deadline_ms: Milliseconds = 30_000.0
    batch: Positive = 256
    body_bytes: Positive = 16 << 20
    connections: Positive = 512
    body_s: Seconds = 30.0
    sequences_idle_s: Seconds = 60.0


class Jobs(_Table, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[jobs]: answers to be fetched later (poll) or sent (push). ``database``: a SQLite file, or the URL of
    a PostgreSQL database. ``callbacks``: what the URLs to which results may be sent begin with, or
    mqtt:TOPIC; ``secret_file``: the key (whsec_…) that signs what is sent to URLs."""

    database: str = ""
    waiting: Positive = 10_000
    keep_s: Annotated[float, Meta(gt=0, le=366 * 86_400)] = 86_400.0
    callbacks: list[str] = []
    secret_file: str = ""
    attempts: Annotated[int, Meta(ge=1, le=100)] = 8
    first_retry_s: Seconds = 2.0


class Mqtt(_Table, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[mqtt]: the broker to which results go. ``broker``: mqtt://HOST[:PORT] or mqtts://…; ``events``: what
    the topics of models' events begin with ("": they are not published); ``authority``: the certificate that
    the broker's is checked by, where it is none that this computer knows."""

    broker: str = ""
    events: str = ""
    user: str = ""
    password_file: str = ""
    authority: str = ""


class ModelTable(_Table, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[models.NAME]: ``source`` is a bundle, a .tflite or a trained model, relative to the file.
    ``images``: the directory of `tinyserve sign`: members with slots that hold another model get it.
    ``escalate``: by the names of events that ask for another model, the model of this file that answers, or
    the URL of one on another endpoint (http://HOST/v2/models/NAME)."""

    source: str
    version: Identifier = "1"
    representative: str = ""
    quantize: Quantize = "int8"
    images: str = ""
    queue: Positive | None = None
    deadline_ms: Milliseconds | None = None
    escalate: dict[Identifier, str] = {}


class GroupTable(_Table, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[groups.NAME]: what its members have in common."""

    model: Identifier | None = None
    board: str | None = None
    link: Link | None = None


class MemberTable(_Table, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[members.NAME]: ``link`` is "host", "twin", "twin:DIRECTORY" (of `tinyserve build --slots`),
    "usb:SERIAL NUMBER", or a serial port ("auto": the board's). ``slots``: the board has firmware of
    `build --slots`; ``line_key``: that was built with --secure.

    ``count`` makes several of a twin or host: NAME-1, NAME-2, … ``firmware`` is the id that a board's
    firmware must have (`tinyserve fleet status` shows it). ``verify``: the share of answers that this
    computer checks.
    """

    model: Identifier | None = None
    board: str | None = None
    link: Link | None = None
    group: Identifier | None = None
    count: Annotated[int, Meta(ge=1, le=256)] = 1
    firmware: str = ""
    emulator: str = ""
    optimize: Optimize = "balanced"
    baud: Annotated[int, Meta(ge=300, le=20_000_000)] = BAUD
    verify: Share = 0.0
    slots: bool = False
    line_key: str = ""


class _File(_Table, frozen=True, kw_only=True, forbid_unknown_fields=True):
    server: Server = Server()
    limits: Limits = Limits()
    jobs: Jobs = Jobs()
    mqtt: Mqtt = Mqtt()
    models: dict[Identifier, ModelTable]
    groups: dict[Identifier, GroupTable] = {}
    members: dict[Identifier, MemberTable]


class MemberSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A member with its group's settings. ``images``, ``line_key`` and a twin's directory are whole paths."""

    name: str
    model: str
    link: str
    board: str
    group: str = ""
    firmware: str = ""
    emulator: str = ""
    optimize: Optimize = "balanced"
    baud: int = BAUD
    verify: float = 0.0
    slots: bool = False
    images: str = ""
    line_key: str = ""

    @property
    def kind(self) -> Kind:
        """Where it computes."""
        return kind_of(self.link)

    @property
    def is_exclusive(self) -> bool:
        """Whether it can't be opened twice."""
        return self.kind == "board" or self.slots

    @property
    def directory(self) -> str:
        """Of a twin with slots, which keeps its flash; else ""."""
        return self.link.removeprefix(TWIN_OF) if self.link.startswith(TWIN_OF) else ""


def is_broker(url: str) -> bool:
    """Whether it is mqtt://HOST[:PORT], or mqtts://."""
    try:
        parts = urlsplit(url)
        return bool(re.fullmatch(r"mqtts?://[^/@\s?#]+", url) and parts.hostname and parts.port != 0)
    except ValueError:  # a port that is no number or too large, brackets around no address
        return False


def kind_of(link: str) -> Kind:
    """What a link names: a port's is a board's."""
    if link == "host":
        return "host"
    return "twin" if link == "twin" or link.startswith(TWIN_OF) else "board"


class FleetConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A checked fleet.toml. ``directory`` is where it lies: what paths in it are relative to."""

    directory: Path
    server: Server
    limits: Limits
    jobs: Jobs
    mqtt: Mqtt
    models: dict[str, ModelTable]
    members: list[MemberSpec]

    def path(self, name: str) -> Path:
        """A path of the file's."""
        return self.directory / name


def load(path: Path) -> FleetConfig:
    """Reads and checks fleet.toml. Raises FileSystemError where it can't be read, UsageError (with the key)
    where it says what can't be."""
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise FileSystemError(f"{path}: {error.strerror}", "name the fleet's file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text ({error.reason})", "save it as UTF-8") from error
    return parse(text, path)


def parse(text: str, path: Path) -> FleetConfig:
    """As ``load``, for the text of the file at ``path``."""
    try:
        tables = from_toml(text)
    except ValueError as error:
        raise UsageError(f"{path}: is not TOML: {error}", "correct that line") from error
    try:
        file = msgspec.convert(tables, _File)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {_explain(str(error))}", _EXAMPLE) from error
    checked = FleetConfig(
        directory=path.absolute().parent, server=file.server, limits=file.limits, jobs=file.jobs,
        mqtt=file.mqtt, models=dict(file.models), members=_members(file, path),
    )  # fmt: skip
    _check_server(checked, path)
    return checked


def _members(file: _File, path: Path) -> list[MemberSpec]:
    if not file.models:
        raise UsageError(f"{path}: names no models", _EXAMPLE)
    found = [spec for name, table in file.members.items() for spec in _expanded(name, table, file, path)]
    if not found:
        raise UsageError(f"{path}: has no members", _EXAMPLE)
    names = [spec.name for spec in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{path}: several members are called {twice[0]}", "rename one of them")
    _check_ports(found, path)
    return found


def _check_board(name: str, where: str) -> None:
    try:
        boards.load(name)
    except TinyserveError as error:
        raise UsageError(f"{where}: {error.message}", error.hint) from error


def _expanded(name: str, table: MemberTable, file: _File, path: Path) -> list[MemberSpec]:
    where = f"{path}: [members.{name}]"
    group = _group(table, file, where)
    link = table.link or group.link
    model = table.model or group.model or (next(iter(file.models)) if len(file.models) == 1 else None)
    board = table.board or group.board
    if link is None:
        raise UsageError(f"{where} has no link", 'link = "host", "twin", "usb:SERIAL" or a serial port')
    if model is None:
        raise UsageError(f"{where} names no model", f'model = "{next(iter(file.models))}"')
    if model not in file.models:
        known = ", ".join(file.models)
        raise UsageError(f"{where}: there is no model {model} (there are: {known})", f"add [models.{model}]")
    if link != "host" and board is None:
        raise UsageError(f"{where} has no board", 'board = "nano33"; `tinyserve boards` lists them')
    if link != "host" and board is not None:
        _check_board(board, where)
    slots = table.slots or link.startswith(TWIN_OF)
    if table.count > 1 and (slots or kind_of(link) == "board"):
        raise UsageError(
            f"{where}: count is for twins and hosts: a port, or a directory, has one board", "remove count"
        )
    if (slots or table.line_key) and link in ("host", "twin"):
        raise UsageError(f"{where}: {link} has no slots", f'link = "{TWIN_OF}DIRECTORY", or a port')
    if table.line_key and not slots:
        raise UsageError(f"{where}: line_key is of firmware with slots", "slots = true, or remove line_key")
    if link == USB:
        raise UsageError(f"{where}: {USB} without a serial number", f'link = "{USB}0123456789AB"')
    if link == TWIN_OF:
        raise UsageError(f"{where}: {TWIN_OF} without a directory", f'link = "{TWIN_OF}DIRECTORY"')
    beside = path.absolute().parent
    if link.startswith(TWIN_OF):
        link = TWIN_OF + str(beside / link.removeprefix(TWIN_OF))
    images = file.models[model].images
    names = [name] if table.count == 1 else [f"{name}-{number + 1}" for number in range(table.count)]
    return [
        MemberSpec(
            name=one, model=model, link=link, board=board or "host", group=table.group or "",
            firmware=table.firmware, emulator=table.emulator, optimize=table.optimize, baud=table.baud,
            verify=table.verify, slots=slots, images=str(beside / images) if images and slots else "",
            line_key=str(beside / table.line_key) if table.line_key else "",
        )
        for one in names
    ]  # fmt: skip


def _group(table: MemberTable, file: _File, where: str) -> GroupTable:
    if table.group is None:
        return GroupTable()
    if table.group not in file.groups:
        raise UsageError(f"{where}: there is no group {table.group}", f"add [groups.{table.group}]")
    return file.groups[table.group]


def _check_ports(members: list[MemberSpec], path: Path) -> None:
    """Two members at one port would answer each other's requests."""
    seen: dict[str, str] = {}
    for member in members:
        if not member.is_exclusive:
            continue
        place = f"auto {member.board}" if member.link == "auto" else member.link
        if place in seen:
            raise UsageError(
                f"{path}: {seen[place]} and {member.name} are at the same link, {visible(member.link)}",
                'tell them apart by their USB serial numbers: link = "usb:…"',
            )
        seen[place] = member.name


def _check_server(config: FleetConfig, path: Path) -> None:
    server = config.server
    if bool(server.certificate) != bool(server.key):
        raise UsageError(f"{path}: [server] has one of certificate and key", "name both, or neither")
    if server.traces and not re.match(r"https?://[^/]+/", server.traces):
        raise UsageError(
            f"{path}: [server] traces {visible(server.traces)!r} is no URL",
            'for example "http://127.0.0.1:4318/v1/traces"',
        )
    if server.client_ca and not server.certificate:
        raise UsageError(f"{path}: [server] client_ca without certificate and key", "name all three")
    if server.host not in LOOPBACK and not (server.token_file or server.client_ca):
        raise UsageError(
            f"{path}: [server] host {server.host} is open to other computers, and nothing says who may",
            "name a token_file or a client_ca, or leave host at 127.0.0.1 behind a proxy",
        )
    _check_callbacks(config, path)
    _check_events(config, path)


def _check_callbacks(config: FleetConfig, path: Path) -> None:
    jobs = config.jobs
    for prefix in jobs.callbacks:
        if not re.match(r"https?://[^/]+/|mqtt:[^+#]", prefix):
            raise UsageError(
                f"{path}: [jobs] callbacks: {visible(prefix)!r} is not the beginning of a URL with a host,"
                " nor of a topic",
                'for example "https://hooks.example.com/" or "mqtt:results/"',
            )
    topics = [prefix for prefix in jobs.callbacks if prefix.startswith("mqtt:")]
    if jobs.callbacks and not jobs.database:
        raise UsageError(f"{path}: [jobs] callbacks without database", 'database = "jobs.sqlite"')
    if len(topics) < len(jobs.callbacks) and not jobs.secret_file:
        raise UsageError(f"{path}: [jobs] callbacks without secret_file", "name the key that signs results")
    if topics and not config.mqtt.broker:
        raise UsageError(f"{path}: [jobs] callbacks over MQTT without a broker", '[mqtt] broker = "mqtt://…"')
    if config.mqtt.broker and not is_broker(config.mqtt.broker):
        raise UsageError(
            f"{path}: [mqtt] broker {visible(config.mqtt.broker)!r}: not the address of a broker",
            'for example "mqtts://broker.example.com:8883"; user and password_file are keys of their own',
        )


def _check_events(config: FleetConfig, path: Path) -> None:
    prefix = config.mqtt.events
    if prefix and not config.mqtt.broker:
        raise UsageError(f"{path}: [mqtt] events without broker", 'broker = "mqtt://…"')
    if prefix and not re.fullmatch(r"[^+#\x00-\x1f\x7f]{1,200}", prefix):
        raise UsageError(
            f"{path}: [mqtt] events {visible(prefix)!r} is no topic", 'for example "plant/events"'
        )
    for name, table in config.models.items():
        for event, target in table.escalate.items():
            if target in config.models or re.fullmatch(r"https?://[^/\s]+/v2/models/[^/\s]+", target):
                continue
            raise UsageError(
                f"{path}: [models.{name}] escalate.{event}: {visible(target)!r} is neither a model of this"
                " file nor the URL of one",
                f'escalate.{event} = "MODEL", or "http://HOST:8000/v2/models/MODEL"',
            )


def _explain(error: str) -> str:
    """msgspec's words with TOML's names for places: `$.models.kws`."""
    message, _, place = error.partition(" - at `$")
    message = message.replace("Object", "the table").replace("`", "'")
    return f"{place.rstrip('`').lstrip('.')}: {message}" if place.strip("`") else message
