#!/bin/sh
# A model's state, and the answer to a request, with nothing but curl.
#
#   sh docs/examples/rest.sh 127.0.0.1:8501 short_video docs/examples/short_video.json
set -eu
curl --silent --show-error --fail-with-body "http://$1/v1/models/$2"
echo
curl --silent --show-error --fail-with-body --data-binary "@$3" "http://$1/v1/models/$2:predict"
echo
