"""How the commands print their help: arguments by their names alone, as in the manual pages of other programs."""

from typing import Any

from typer.core import TyperArgument, TyperCommand


class Command(TyperCommand):
    """A command whose usage reads `receipts read [OPTIONS] FILE...`, without Python types and braces."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces = [self.options_metavar] if self.options_metavar else []
        return pieces + [_usage_name(argument) for argument in self._arguments(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        arguments = [(_usage_name(argument), argument.help or "") for argument in self._arguments(ctx)]
        options = [
            record
            for parameter in self.get_params(ctx)
            if not isinstance(parameter, TyperArgument) and (record := parameter.get_help_record(ctx))
        ]
        for title, rows in (("Arguments", arguments), ("Options", options)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def _arguments(self, ctx: Any) -> list[TyperArgument]:
        return [parameter for parameter in self.get_params(ctx) if isinstance(parameter, TyperArgument) and not parameter.hidden]


def _usage_name(argument: TyperArgument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    return (name if argument.required else f"[{name}]") + ("..." if argument.nargs != 1 else "")
