"""What the sample recipes do: their trigger, their steps, and how their jobs are titled."""

from random import Random
from typing import NamedTuple

from .payload import compact


class Step(NamedTuple):
    """One line of a recipe."""

    adapter: str
    operation: str


class Recipe(NamedTuple):
    """A kind of recipe. `title` may name {time}, {name}, {amount} and {number}."""

    title: str
    steps: tuple[Step, ...]
    report_columns: tuple[str, ...]
    is_callable: bool = False


RECIPES = (
    Recipe(
        "Scheduler by Workato: new scheduled event: Start time={time}",
        (Step("clock", "timer"), Step("salesforce", "search_sobjects_soql_v2"), Step("logger", "log_message")),
        ("custom_column_1",),
    ),
    Recipe(
        "Callable recipes by Workato: new call for recipe: Calling IP address=129.1.1.1, Access profile ID={number}",
        (
            Step("workato_service", "receive_request"),
            Step("netsuite", "search_records"),
            Step("workato_service", "reply"),
        ),
        ("caller", "records"),
        is_callable=True,
    ),
    Recipe(
        "Salesforce: new/updated object: Opportunity={name}, Amount={amount}",
        (
            Step("salesforce", "updated_custom_object"),
            Step("netsuite", "search_records"),
            Step("netsuite", "add_object"),
            Step("slack_bot", "post_bot_message"),
        ),
        ("opportunity", "amount"),
    ),
    Recipe(
        "NetSuite: new/updated standard record: Invoice={number}",
        (
            Step("netsuite", "updated_record_poll_trigger"),
            Step("csv_parser", "create_csv"),
            Step("sftp", "upload_file"),
        ),
        ("invoice", "total"),
    ),
    Recipe(
        "Slack: new event: message from {name}",
        (Step("slack", "new_event"), Step("workato_list", "create_list"), Step("jira", "create_issue")),
        (),
    ),
    Recipe(
        "CSV files: new file orders_{number}.csv",
        (Step("sftp", "new_file"), Step("csv_parser", "parse_csv"), Step("salesforce", "bulk_upsert_csv")),
        ("file", "rows", "rejected"),
    ),
)


def recipe_of(recipe_id: int) -> Recipe:
    """The kind of recipe that a `recipe_id` has, the same in every account."""
    return RECIPES[recipe_id % len(RECIPES)]


def title(recipe: Recipe, random: Random, started_at: str) -> str:
    name = random.choice(("Zoë D'Souza", "Xavier Müller", "Dana 王"))
    amount = f"{random.randrange(1, 900_000) / 100:.2f}"
    return recipe.title.format(time=started_at, name=name, amount=amount, number=random.randrange(100_000, 999_999))


def report(recipe: Recipe, random: Random) -> str | None:
    """The custom job report as JSON text; None if the recipe has no columns."""
    if not recipe.report_columns:
        return None
    return compact({column: _report_value(random) for column in recipe.report_columns})


def _report_value(random: Random) -> str | int | float:
    return (str(random.randrange(1000)), random.randrange(100_000), random.randrange(10_000) / 100)[random.randrange(3)]


def error(recipe: Recipe, random: Random, failed_at: str) -> tuple[str, str, str]:
    """Error type, the job's error (JSON text, as the platform writes it), and the failed line's error."""
    kind, message = random.choice(
        (
            ("Missing required field", "'Columns' must be present"),
            ("Exception", "Error calculating input for field 'message': undefined method `to_date' for 123:Fixnum"),
            (
                "Server error",
                '500 Internal Server Error\n{"code":"UNEXPECTED_ERROR","message":"Bitte später versuchen"}',
            ),
            ("Not authorized", "401 Unauthorized: session expired"),
        )
    )
    parts = {
        "adapter": recipe.steps[-1].adapter,
        "error_type": kind,
        "message": message,
        "error_id": f"{random.getrandbits(128):032x}",
        "error_at": failed_at,
        "input": "<redacted>",
        "inner_message": None,
    }
    return kind, compact(parts), message
