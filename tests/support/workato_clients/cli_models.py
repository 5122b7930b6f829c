"""Reads the workspace and its recipes with the generated client of workato-platform-cli, and prints what it
understood.
"""

import asyncio
import json
import os

from workato_platform_cli import Workato
from workato_platform_cli.client.workato_api.configuration import Configuration

PER_PAGE = 100


async def main() -> None:
    configuration = Configuration(access_token=os.environ["WORKATO_API_TOKEN"], host=os.environ["WORKATO_HOST"])
    async with Workato(configuration) as workato:
        user = await workato.users_api.get_workspace_details()
        recipes = []
        while len(recipes) % PER_PAGE == 0:
            page = len(recipes) // PER_PAGE + 1
            answer = await workato.recipes_api.list_recipes(page=page, per_page=PER_PAGE, running=False)
            recipes += answer.items
            if not answer.items:
                break
    print(json.dumps({"user": user.model_dump(mode="json"), "recipes": [r.model_dump(mode="json") for r in recipes]}))


asyncio.run(main())
