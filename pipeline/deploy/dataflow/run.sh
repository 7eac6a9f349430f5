#!/bin/sh
# One run of the pipeline, with logs and artifacts in Cloud Storage and its Beam components on Dataflow. docs/scale.md explains.
#   PROJECT=my-project REGION=europe-west1 BUCKET=my-bucket NAME=first \
#   IMAGE=europe-west1-docker.pkg.dev/my-project/ranking/fulcrum-pipeline:0.2.0 \
#   sh pipeline/deploy/dataflow/run.sh --spec short_video
set -eu

# What a second run of this NAME finds done is not done again.
exec fulcrum run \
  --logs "gs://$BUCKET/logs" \
  --root "runs/$NAME" \
  --artifacts "gs://$BUCKET/runs/$NAME" \
  --beam runner=DataflowRunner \
  --beam "project=$PROJECT" \
  --beam "region=$REGION" \
  --beam "temp_location=gs://$BUCKET/temp" \
  --beam "staging_location=gs://$BUCKET/staging" \
  --beam "service_account_email=${SERVICE_ACCOUNT:-fulcrum-workers@$PROJECT.iam.gserviceaccount.com}" \
  --beam experiments=use_runner_v2 \
  --beam "sdk_container_image=$IMAGE" \
  --beam sdk_location=container \
  --beam machine_type=n2-standard-4 \
  --beam disk_size_gb=50 \
  --beam num_workers=2 \
  --beam max_num_workers=20 \
  --beam autoscaling_algorithm=THROUGHPUT_BASED \
  "$@"
