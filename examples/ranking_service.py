"""A ranking service with histories: POST /rank asks the model, POST /events records what users did.

python examples/ranking_service.py 127.0.0.1:8500 histories    # then curl localhost:8000/rank -d …
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import fulcrum


def service(target: str, store: fulcrum.HistoryStore, spec: fulcrum.FeatureSpec) -> Starlette:
    """Return the application; its client connects at the first request."""
    client = fulcrum.AsyncRankingClient(target, spec, histories=store, timeout_ms=1000)

    async def rank(request: Request) -> JSONResponse:
        asked = await request.json()
        candidates = [fulcrum.Candidate(fields=fields) for fields in asked.pop("candidates")]
        try:
            ranked = await client.rank(fulcrum.RankingRequest(candidates=candidates, **asked))
        except fulcrum.RankingError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse([{**one.candidate.fields, **one.scores} for one in ranked])

    async def events(request: Request) -> JSONResponse:
        lines = map(fulcrum.HistoryEvent.from_json, (await request.body()).splitlines())
        counts = await run_in_threadpool(store.record_all, lines)
        return JSONResponse({"recorded": counts.recorded, "rejected": counts.details})

    posts = {"/rank": rank, "/events": events}
    return Starlette(routes=[Route(path, to, methods=["POST"]) for path, to in posts.items()])


if __name__ == "__main__":
    target, folder = sys.argv[1:]
    spec = fulcrum.load_spec("short_video")
    uvicorn.run(service(target, fulcrum.LmdbHistoryStore(Path(folder), spec), spec))
