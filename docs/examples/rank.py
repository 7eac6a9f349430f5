"""A caller with the ranking client (`pip install .`): ranks three videos for one user.

python docs/examples/rank.py 127.0.0.1:8500
"""

from __future__ import annotations

import sys

from fulcrum import Candidate, RankingClient, RankingError, RankingRequest, load_spec

(target,) = sys.argv[1:]
request = RankingRequest(
    user={"user_id": "u1", "recent_videos": ["v3", "v7"]},
    context={"scenario": "auto_play", "hour": 21},
    candidates=[
        Candidate(fields={"video_id": "v43", "duration_s": 71.9}),
        Candidate(fields={"video_id": "v10", "duration_s": 17.5}),
        Candidate(fields={"video_id": "v7"}),
    ],
    weights={"shr": 3.0},
)
with RankingClient(target, load_spec("short_video"), timeout_ms=1000) as client:
    try:
        ranked = client.rank(request)
    except RankingError as error:
        sys.exit(f"no ranking: {error}")
for candidate in ranked:
    print(candidate.rank, candidate.candidate.fields["video_id"], candidate.ranking_score)
