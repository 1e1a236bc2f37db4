"""Every setting, read once from `receipts.toml` and `RECEIPTS_*`, then frozen."""

import difflib
import itertools
import json
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from extractor.errors import ConfigError

FILE_NAME = "receipts.toml"
PREFIX = "RECEIPTS_"
CONFIG_VARIABLE = "RECEIPTS_CONFIG"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InboxSettings(_Section):
    """`[inbox]`: when a dropped file is taken."""

    settle_seconds: float = Field(default=5.0, ge=0, description="A file is ready when nothing has touched it for this long.")
    patience_seconds: float = Field(default=600.0, gt=0, description="A file that does not become readable in this time fails.")
    rescan_seconds: float = Field(default=60.0, gt=0, description="How often the folder is listed even without events.")
    poll: bool = Field(default=False, description="Look instead of waiting for events: for network shares.")
    poll_seconds: float = Field(default=2.0, gt=0, description="How often to look when polling.")
    check_seconds: float = Field(default=60.0, gt=0, description="A file that takes longer to decode fails.")
    ignore: tuple[str, ...] = Field(default=(), description="File name patterns to leave alone, besides the built-in ones.")


class LimitSettings(_Section):
    """`[limits]`: what one file may cost."""

    max_bytes: int = Field(default=100_000_000, gt=0, description="Size of a file.")
    max_pages: int = Field(default=20, gt=0, description="Pages of a PDF, frames of a TIFF or GIF.")
    max_pixels: int = Field(default=100_000_000, gt=0, description="Width times height of one image.")
    max_side_px: int = Field(default=4000, ge=500, description="Longer side that a page is scaled down to before reading.")


MAX_RUNGS = 3
"""Rungs that the ladder of `extractor.extraction.reask` has."""


class ReaderSettings(_Section):
    """`[reader]`: who reads, and how often it is asked again."""

    name: str = Field(default="auto", description="`auto`, `ocr` or `vision`.")
    ocr_engine: Literal["auto", "faster-paddle", "rapidocr"] = Field(default="auto", description="Who reads text.")
    threads: int = Field(
        default=0, ge=0, description="CPU threads for OCR, divided among the processes; 0 for all cores, beside a GPU for all but one."
    )
    processes: int = Field(
        default=0, ge=0, description="Receipts read, or prepared for a GPU, at the same time; 0 for what cores and memory allow."
    )
    receipt_seconds: float = Field(default=300.0, gt=0, description="Time after which reading a receipt counts as hung.")
    memory_mb: int = Field(default=4000, ge=500, description="Memory that a reading process may take (watched on Linux).")
    recycle_receipts: int = Field(default=1000, gt=0, description="Receipts after which a reading process is replaced.")
    max_rungs: int | None = Field(
        default=None, ge=0, examples=[3], description="How many times a receipt is asked again; 2, or 3 by a vision model, where not set."
    )
    reask_seconds: float = Field(default=60.0, ge=0, description="Time after which no further question is begun.")


class VisionSettings(_Section):
    """`[vision]`: the vision model, for machines with an NVIDIA GPU."""

    model: str = Field(
        default="unsloth/Llama-3.2-11B-Vision-Instruct-bnb-4bit", description="Name on the hub, or absolute path of a local folder."
    )
    precision: Literal["auto", "4bit", "16bit", "32bit"] = Field(
        default="auto",
        description="16 bits where they fit, else 4; decides also between a `-bnb-4bit` name's weights and their 16-bit sibling.",
    )
    loader: Literal["auto", "unsloth", "transformers"] = Field(default="auto", description="Unsloth where it is installed.")
    device: Literal["auto", "cuda", "cpu"] = Field(default="auto", description="A CPU is only used when asked for by name.")
    offline: bool = Field(default=False, description="Use only files that are on this machine.")
    max_rows: int = Field(default=64, gt=0, description="Receipts read side by side at most; fewer where memory is short.")
    max_tokens: int = Field(default=1536, gt=0, description="Length of an answer at most.")
    idle_seconds: float = Field(default=900.0, gt=0, description="Time without work after which the GPU's memory is given back.")
    answer_seconds: float = Field(default=900.0, gt=0, description="Time after which a batch counts as hung.")
    recycle_receipts: int = Field(default=5000, gt=0, description="Receipts after which the reading process is replaced.")


class LocaleSettings(_Section):
    """`[locale]`: tie-breaks for what a receipt does not decide itself. Nothing is assumed where they are not set."""

    country: str | None = Field(default=None, pattern=r"^[A-Z]{2}$", examples=["DE"], description="ISO 3166-1 code.")
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$", examples=["EUR"], description="ISO 4217 code.")
    date_order: Literal["DMY", "MDY", "YMD"] | None = Field(
        default=None, examples=["DMY"], description="Order of ambiguous dates: DMY, MDY or YMD."
    )


class WorkSettings(_Section):
    """`[work]`: claims and retries."""

    batch_size: int = Field(
        default=4, gt=0, description="Receipts that each process is given together; for a vision model `vision.max_rows` counts."
    )
    lease_seconds: float = Field(default=300.0, gt=0, description="Time after which a dead worker's receipt is taken over.")
    max_attempts: int = Field(default=5, gt=0, description="Attempts before a receipt fails.")
    backoff_seconds: float = Field(default=10.0, ge=0, description="Wait after the first failed attempt; doubles each time.")
    max_backoff_seconds: float = Field(default=3600.0, ge=0, description="Longest wait between attempts.")
    hung_seconds: float = Field(
        default=600.0, gt=0, description="Time for one step, beside what reading may take, after which the service counts as hung."
    )


class MetricsSettings(_Section):
    """`[metrics]`: what monitoring may ask a running service."""

    port: int | None = Field(
        default=None, ge=0, le=65535, examples=[9464], description="Serves /healthz and /metrics there; 0 for any free port."
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="Address that it listens at; the default is this machine alone.")


class ServiceSettings(_Section):
    """`[service]`: what `receipts service install` writes for the service manager."""

    memory_high: str | None = Field(
        default=None, pattern=r"^\d+[KMGT%]?$", examples=["3G"], description="Memory above which systemd slows it down."
    )
    memory_max: str | None = Field(
        default=None, pattern=r"^\d+[KMGT%]?$", examples=["4G"], description="Memory above which systemd ends the process that takes most."
    )
    sandbox: bool = Field(default=True, description="Let systemd close it in: it can write to its own folders only.")


class LogSettings(_Section):
    """`[log]`: what is written to stderr."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="DEBUG may hold receipt contents.")
    format: Literal["text", "json"] = Field(default="text", description="One line a message, either way.")


class Settings(_Section):
    """All settings of one installation. Paths are absolute."""

    inbox_dir: Path = Field(default=Path("inbox"), description="Folder that receipts are dropped into.")
    outbox_dir: Path = Field(default=Path("outbox"), description="Folder that results and originals are filed in.")
    database: Path = Field(default=Path("receipts.db"), description="SQLite file.")
    inbox: InboxSettings = InboxSettings()
    limits: LimitSettings = LimitSettings()
    reader: ReaderSettings = ReaderSettings()
    vision: VisionSettings = VisionSettings()
    locale: LocaleSettings = LocaleSettings()
    work: WorkSettings = WorkSettings()
    metrics: MetricsSettings = MetricsSettings()
    service: ServiceSettings = ServiceSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _folders_apart(self) -> Self:
        """Refuses folders that contain one another: results in the inbox would be read as receipts, for ever."""
        places = {"inbox_dir": self.inbox_dir, "outbox_dir": self.outbox_dir, "database": self.database}
        real = {name: path.expanduser().resolve() for name, path in places.items()}
        for outer, inner in itertools.permutations(real, 2):
            if real[inner].is_relative_to(real[outer]):
                raise ValueError(f"{inner} ({real[inner]}) lies in {outer} ({real[outer]}). Choose places outside one another.")
        return self


def load_settings(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings of this installation, with absolute paths.

    The settings file goes before the defaults, and `RECEIPTS_*` variables go before the file: `RECEIPTS_INBOX__SETTLE_SECONDS` sets
    `inbox.settle_seconds`, commas separate the parts of a list, and an empty variable counts as not set. A relative path in the file
    starts at the file's folder, one in the environment at `folder`.

    Args:
        path: Settings file; where it is `None`, `RECEIPTS_CONFIG` names it, else `receipts.toml` in `folder` is read if it is there.
        environ: Environment variables; those of the process by default.
        folder: Working directory; that of the process by default.
        overrides: Values that go before all others, shaped like the file: options of a command line.
    Raises:
        ConfigError: The file is missing or not TOML, a key is unknown, or a value is not what the setting expects.
    """
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    is_named = path is not None or bool(environ.get(CONFIG_VARIABLE))
    path = settings_file(path, environ=environ, folder=folder)
    if is_named and not path.is_file():
        raise ConfigError(f"{path} is not there. Name an existing settings file, or make one with: receipts init")
    values: dict[str, Any] = {"inbox_dir": Path("inbox"), "outbox_dir": Path("outbox"), "database": Path("receipts.db")}
    _merge(values, _read_toml(path) if path.is_file() else {})
    _make_absolute(values, path.parent)
    from_environment = _read_environment(environ)
    _make_absolute(from_environment, folder)
    _merge(values, from_environment)
    _merge(values, overrides or {})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, path, environ)) from error


def settings_file(path: Path | None = None, *, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Path:
    """Where the settings file is, or would be: `path`, else what `RECEIPTS_CONFIG` names, else `receipts.toml` in `folder`."""
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    return folder / _expanded(path or Path(environ.get(CONFIG_VARIABLE) or FILE_NAME), "The settings file")


def make_settings_file(path: Path) -> bool:
    """Whether the file was made, with every setting and its default in comments; one that is there is left as it is.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(settings_template())
    except FileExistsError:
        return False
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}). Check the rights of its folder, or name another file.") from error
    return True


@dataclass(frozen=True)
class SettingDoc:
    """One setting as the manual and the settings file describe it.

    Attributes:
        name: Dotted name, such as `inbox.settle_seconds`.
        variable: Environment variable that sets it.
        default: As TOML; `None` where nothing is set.
        example: As TOML; the default where there is one.
        description: One sentence.
    """

    name: str
    variable: str
    default: str | None
    example: str
    description: str


def describe_settings() -> tuple[SettingDoc, ...]:
    """Every setting, in the order of the settings file."""
    return tuple(_describe(Settings, ""))


def settings_template() -> str:
    """A settings file that says every setting and its default, all commented out."""
    lines = [
        f"# Settings of receipts. Remove the # in front of a line to change it. {PREFIX}* environment variables go before this file.",
        "",
    ]
    section = ""
    for doc in describe_settings():
        head, _, key = doc.name.rpartition(".")
        if head != section:
            section = head
            lines += ["", f"[{section}]"]
        lines += [f"# {doc.description}" + ("" if doc.default else " Not set by default."), f"# {key} = {doc.example}"]
    return "\n".join(lines) + "\n"


def _describe(section: type[BaseModel], prefix: str) -> Iterator[SettingDoc]:
    for key, field in section.model_fields.items():
        name = prefix + key
        if isinstance(field.default, _Section):
            yield from _describe(type(field.default), f"{name}.")
            continue
        default = None if field.default is None else _toml(field.default)
        yield SettingDoc(name, _variable(name), default, default or _toml((field.examples or [""])[0]), field.description or "")


def _toml(value: object) -> str:
    """A default as TOML, whose strings, numbers, booleans and lists of these are those of JSON."""
    return json.dumps(str(value) if isinstance(value, Path) else value)


def _variable(name: str) -> str:
    return PREFIX + name.replace(".", "__").upper()


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        names = list(_flat_names(values))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}). Check its rights.") from error
    except (ValueError, RecursionError) as error:  # ValueError: not TOML, not UTF-8, or a number of thousands of digits
        raise ConfigError(f"{path} is not TOML: {error}. Correct that line.") from error
    sections = {doc.name.partition(".")[0] for doc in describe_settings()}
    for name in names:
        if name not in sections:
            _refuse_unknown(name, f"{path} has the setting", str)
    return values


def _flat_names(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat_names(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def _refuse_unknown(name: str, told: str, spell: Callable[[str], str]) -> None:
    known = {doc.name for doc in describe_settings()}
    if name in known:
        return
    # The nearest by its whole name, else by its last part, which finds a key that stands in the wrong section.
    by_last = {other.rpartition(".")[2]: other for other in known}
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    near = near or [by_last[last] for last in difflib.get_close_matches(name.rpartition(".")[2], by_last, n=1, cutoff=0.7)]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    raise ConfigError(f"{told} {spell(name)}, which does not exist. The nearest one is {spell(near[0])}.")


def _read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    lists = {doc.name for doc in describe_settings() if (doc.default or "").startswith("[")}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE or not text:
            continue
        name = variable.removeprefix(PREFIX).lower().replace("__", ".")
        _refuse_unknown(name, "The environment has", _variable)
        section, _, key = name.rpartition(".")
        place = values.setdefault(section, {}) if section else values
        place[key] = [part.strip() for part in text.split(",")] if name in lists else text
    return values


def _make_absolute(values: dict[str, Any], folder: Path) -> None:
    for key in ("inbox_dir", "outbox_dir", "database"):
        if isinstance(values.get(key), str | Path):
            values[key] = (folder / _expanded(Path(values[key]), key)).resolve()


def _expanded(path: Path, name: str) -> Path:
    """The path with the home folder for its `~`.

    Raises:
        ConfigError: No such user, or a NUL, which no path may hold.
    """
    try:
        if "\0" in str(path):
            raise ConfigError(f"{name} is {str(path)!r}. Expected: a path, which holds no NUL.")
        return path.expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{name} is {path}, but there is no home folder of that name. Write the whole path.") from error


def _merge(values: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def _explain(error: ValidationError, path: Path, environ: Mapping[str, str]) -> str:
    """Key, value and what was expected, for the first wrong setting."""
    first = error.errors()[0]
    if not first["loc"]:
        return first["msg"].removeprefix("Value error, ")
    name = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
    source = _variable(name) if environ.get(_variable(name)) else f"{name} in {path}"
    expected = first["msg"].removeprefix("Input should be ").partition(", unable")[0]
    return f"{source} is {first['input']!r}. Expected: {expected}."
