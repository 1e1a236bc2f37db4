"""All settings, read from `receipts.toml` and `RECEIPTS_*` variables into frozen models."""

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

COUNTRY_PATTERN, CURRENCY_PATTERN, MEMORY_PATTERN = r"^[A-Z]{2}$", r"^[A-Z]{3}$", r"^\d+[KMGT%]?$"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InboxSettings(_Section):
    """`[inbox]`: when a file in the inbox is taken."""

    settle_seconds: float = Field(default=5.0, ge=0, description="A file is ready when it has not changed for this long.")
    patience_seconds: float = Field(default=600.0, gt=0, description="A file that is not complete after this time fails.")
    rescan_seconds: float = Field(default=60.0, gt=0, description="Interval at which the folder is listed even without events.")
    poll: bool = Field(default=False, description="Poll the folder instead of waiting for events: for network shares.")
    poll_seconds: float = Field(default=2.0, gt=0, description="Interval of polling.")
    check_seconds: float = Field(default=60.0, gt=0, description="A file that takes longer to decode fails.")
    ignore: tuple[str, ...] = Field(default=(), description="File name patterns to ignore, besides the built-in ones.")


class LimitSettings(_Section):
    """`[limits]`: the largest files that are read."""

    max_bytes: int = Field(default=100_000_000, gt=0, description="Size of a file.")
    max_pages: int = Field(default=20, gt=0, description="Pages of a PDF, frames of a TIFF or GIF.")
    max_pixels: int = Field(default=100_000_000, gt=0, description="Width times height of one image.")
    max_side_px: int = Field(default=4000, ge=500, description="Longer side to which a page is scaled down before it is read.")


# Number of rungs of the ladder in `extractor.extraction.reask`.
MAX_RUNGS = 3


class ReaderSettings(_Section):
    """`[reader]`: which reader is used, with which resources, and how often it is asked again."""

    name: str = Field(default="auto", description="`auto`, `ocr` or `vision`.")
    ocr_engine: Literal["auto", "faster-paddle", "rapidocr"] = Field(default="auto", description="The OCR engine.")
    threads: int = Field(
        default=0, ge=0, description="CPU threads for OCR, divided among the processes; 0 for all cores, or all but one beside a GPU."
    )
    processes: int = Field(
        default=0, ge=0, description="Receipts read, or prepared for a GPU, at the same time; 0 for as many as cores and memory allow."
    )
    receipt_seconds: float = Field(default=300.0, gt=0, description="Time after which a process that reads a receipt counts as hung.")
    memory_mb: int = Field(default=4000, ge=500, description="Memory that a reading process may use (checked on Linux).")
    recycle_receipts: int = Field(default=1000, gt=0, description="Receipts after which a reading process is replaced.")
    max_rungs: int | None = Field(
        default=None, ge=0, examples=[3], description="How many times a receipt is asked again; by default 2, or 3 with a vision model."
    )
    reask_seconds: float = Field(default=60.0, ge=0, description="Time after which no further question is asked.")


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
    device: Literal["auto", "cuda", "cpu"] = Field(default="auto", description="The CPU is only used if it is named here.")
    offline: bool = Field(default=False, description="Use only files that are on this machine.")
    max_rows: int = Field(default=64, gt=0, description="Receipts in a batch at most; fewer if memory is short.")
    max_tokens: int = Field(default=1536, gt=0, description="Longest answer, in tokens.")
    idle_seconds: float = Field(default=900.0, gt=0, description="Time without work after which the GPU's memory is freed.")
    answer_seconds: float = Field(default=900.0, gt=0, description="Time after which a batch counts as hung.")
    recycle_receipts: int = Field(default=5000, gt=0, description="Receipts after which the reading process is replaced.")


class LocaleSettings(_Section):
    """`[locale]`: tie-breakers for values that a receipt leaves open. Without them, nothing is assumed."""

    country: str | None = Field(default=None, pattern=COUNTRY_PATTERN, examples=["DE"], description="ISO 3166-1 code.")
    currency: str | None = Field(default=None, pattern=CURRENCY_PATTERN, examples=["EUR"], description="ISO 4217 code.")
    date_order: Literal["DMY", "MDY", "YMD"] | None = Field(
        default=None, examples=["DMY"], description="Order of ambiguous dates: DMY, MDY or YMD."
    )


class WorkSettings(_Section):
    """`[work]`: batches, leases and retries."""

    batch_size: int = Field(
        default=4, gt=0, description="Receipts in a batch for each process; for a vision model, `vision.max_rows` applies."
    )
    lease_seconds: float = Field(default=300.0, gt=0, description="Time after which the receipt of a dead worker is read again.")
    max_attempts: int = Field(default=5, gt=0, description="Attempts after which a receipt fails.")
    backoff_seconds: float = Field(default=10.0, ge=0, description="Wait after the first failed attempt; it doubles each time.")
    max_backoff_seconds: float = Field(default=3600.0, ge=0, description="Longest wait between attempts.")
    hung_seconds: float = Field(
        default=600.0, gt=0, description="Time for one step, besides reading, after which the service counts as hung."
    )


class MetricsSettings(_Section):
    """`[metrics]`: the HTTP server for monitoring."""

    port: int | None = Field(
        default=None, ge=0, le=65535, examples=[9464], description="Port of /healthz and /metrics; 0 for any free one."
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen at; by default only this machine can connect.")


class ServiceSettings(_Section):
    """`[service]`: options of the unit that `receipts service install` writes."""

    memory_high: str | None = Field(
        default=None, pattern=MEMORY_PATTERN, examples=["3G"], description="Memory above which systemd slows the service down."
    )
    memory_max: str | None = Field(
        default=None, pattern=MEMORY_PATTERN, examples=["4G"], description="Memory above which systemd kills the process that uses most."
    )
    sandbox: bool = Field(default=True, description="Let systemd sandbox the service: it can write to its own folders only.")


class LogSettings(_Section):
    """`[log]`: the log on stderr."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="DEBUG may include the text of receipts.")
    format: Literal["text", "json"] = Field(default="text", description="One line per message; on a terminal, `text` shows each receipt.")


class Settings(_Section):
    """All settings of one installation. Paths are absolute."""

    inbox_dir: Path = Field(default=Path("inbox"), description="Folder into which receipts are dropped.")
    outbox_dir: Path = Field(default=Path("outbox"), description="Folder for results and filed originals.")
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
        """Rejects folders that contain one another: results in the inbox would be read as receipts, again and again."""
        places = {"inbox_dir": self.inbox_dir, "outbox_dir": self.outbox_dir, "database": self.database}
        real = {name: path.expanduser().resolve() for name, path in places.items()}
        for outer, inner in itertools.permutations(real, 2):
            if real[inner].is_relative_to(real[outer]):
                raise ValueError(f"{inner} ({real[inner]}) is inside {outer} ({real[outer]}). Choose separate folders.")
        return self


def load_settings(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Loads the settings and makes their paths absolute.

    The settings file takes precedence over the defaults, and `RECEIPTS_*` variables take precedence over the file:
    `RECEIPTS_INBOX__SETTLE_SECONDS` sets `inbox.settle_seconds`. Commas separate the items of a list, and an empty variable counts as
    not set. Relative paths in the file start at the file's folder, those in the environment at `folder`.

    Args:
        path: Settings file. If it is `None`, `RECEIPTS_CONFIG` names the file; otherwise `receipts.toml` in `folder` is read if it exists.
        environ: Environment variables; by default those of the process.
        folder: Working directory; by default that of the process.
        overrides: Values that take precedence over all others, structured like the file: options of a command line.
    Raises:
        ConfigError: The file is missing or not TOML, a key is unknown, or a value is not valid.
    """
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    is_named = path is not None or bool(environ.get(CONFIG_VARIABLE))
    path = settings_file(path, environ=environ, folder=folder)
    if is_named and not path.is_file():
        raise ConfigError(f"{path} does not exist. Name an existing settings file, or make one with: receipts init")
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
    """Path of the settings file, which need not exist: `path`, or `RECEIPTS_CONFIG`, or `receipts.toml` in `folder`."""
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    return folder / _expanded(path or Path(environ.get(CONFIG_VARIABLE) or FILE_NAME), "The settings file")


def make_settings_file(path: Path) -> bool:
    """Creates a settings file with every default in comments, and returns whether it did; an existing file is kept.

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
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}). Check the permissions of its folder, or name another file."
        ) from error
    return True


@dataclass(frozen=True)
class SettingDoc:
    """Documentation of one setting, for the manual and the settings file.

    Attributes:
        name: Dotted name, such as `inbox.settle_seconds`.
        variable: Environment variable that sets it.
        default: As TOML; `None` if it is not set by default.
        example: As TOML; the default if there is one.
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
    """Text of a settings file with every setting and its default, all commented out."""
    lines = [
        f"# Settings of receipts. Remove the # in front of a line to change it. {PREFIX}* environment variables override this file.",
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
    """The value as TOML, which writes strings, numbers, booleans and lists like JSON."""
    return json.dumps(str(value) if isinstance(value, Path) else value)


def _variable(name: str) -> str:
    return PREFIX + name.replace(".", "__").upper()


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        names = list(_flat_names(values))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from error
    except (ValueError, RecursionError) as error:  # ValueError: not TOML, not UTF-8, or a number of thousands of digits
        raise ConfigError(f"{path} is not TOML: {error}. Correct that line.") from error
    sections = {doc.name.partition(".")[0] for doc in describe_settings()}
    for name in names:
        if name not in sections:
            _reject_unknown(name, f"{path} has the setting", str)
    return values


def _flat_names(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat_names(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def _reject_unknown(name: str, source: str, spell: Callable[[str], str]) -> None:
    known = {doc.name for doc in describe_settings()}
    if name in known:
        return
    # The closest whole name, or the closest last part, which finds a key in the wrong section.
    by_last = {other.rpartition(".")[2]: other for other in known}
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    near = near or [by_last[last] for last in difflib.get_close_matches(name.rpartition(".")[2], by_last, n=1, cutoff=0.7)]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    raise ConfigError(f"{source} {spell(name)}, which does not exist. The nearest one is {spell(near[0])}.")


def _read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    lists = {doc.name for doc in describe_settings() if (doc.default or "").startswith("[")}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE or not text:
            continue
        name = variable.removeprefix(PREFIX).lower().replace("__", ".")
        _reject_unknown(name, "The environment has", _variable)
        section, _, key = name.rpartition(".")
        place = values.setdefault(section, {}) if section else values
        place[key] = [part.strip() for part in text.split(",")] if name in lists else text
    return values


def _make_absolute(values: dict[str, Any], folder: Path) -> None:
    for key in ("inbox_dir", "outbox_dir", "database"):
        if isinstance(values.get(key), str | Path):
            values[key] = (folder / _expanded(Path(values[key]), key)).resolve()


def _expanded(path: Path, name: str) -> Path:
    """Expands `~` in the path.

    Raises:
        ConfigError: There is no such user, or the path has a NUL character.
    """
    try:
        if "\0" in str(path):
            raise ConfigError(f"{name} is {str(path)!r}. Expected: a path without NUL characters.")
        return path.expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{name} is {path}, but there is no home folder of that name. Write the full path.") from error


def _merge(values: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


# What people have to write, by the type of pydantic's error. Other messages of pydantic are plain enough without their first words.
_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_type": "a whole number",
    "model_type": "a section with settings of its own",
    "path_type": "a path",
    "string_too_short": "some text",
    "string_type": "text",
    "tuple_type": "a list",
}

# The same, by the pattern of the setting.
_EXPECTED_BY_PATTERN = {
    COUNTRY_PATTERN: "the two capital letters of a country, such as DE",
    CURRENCY_PATTERN: "the three capital letters of a currency, such as EUR",
    MEMORY_PATTERN: "a number of bytes, perhaps with K, M, G, T or % after it, such as 3G",
}


def _explain(error: ValidationError, path: Path, environ: Mapping[str, str]) -> str:
    """Names the first wrong setting, its value, and what was expected."""
    first = error.errors()[0]
    if not first["loc"]:
        return first["msg"].removeprefix("Value error, ")
    name = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
    source = _variable(name) if environ.get(_variable(name)) else f"{name} in {path}"
    expected = _EXPECTED.get(first["type"]) or _EXPECTED_BY_PATTERN.get(first.get("ctx", {}).get("pattern", ""))
    expected = expected or first["msg"].removeprefix("Input should be ").partition(", unable")[0]
    return f"{source} is {first['input']!r}. Expected: {expected}."
