#!/bin/sh
# A first model in ten minutes: simulated logs, a spec of your own, a blessed model, its report, and scores.
set -e
fulcrum simulate --out logs --days 4 --rows-per-day 2000
fulcrum spec check short_video
fulcrum run --spec short_video --logs logs --root runs/first --model shared_bottom --set trainer.epochs=1 --set serving.latency_budget_ms=60000
fulcrum report --root runs/first
fulcrum predict --model runs/first --out predictions.parquet
cat > request.json <<'END'
{"spec": "short_video", "user": {"user_id": "u1"}, "context": {"scenario": "auto_play", "hour": 21},
 "candidates": [{"id": "first", "video_id": "v43"}, {"id": "second", "video_id": "v10", "duration_s": 17.5}]}
END
fulcrum serve --root runs/first --ui  # stays; then, from another terminal:
fulcrum rank --request request.json --explain
