#!/bin/sh
# A model's state over gRPC with grpcurl, which learns the messages from the server itself.
#
#   sh docs/examples/grpcurl.sh 127.0.0.1:8500 short_video
set -eu
grpcurl -plaintext "$1" list
grpcurl -plaintext -d "{\"model_spec\": {\"name\": \"$2\"}}" "$1" tensorflow.serving.ModelService/GetModelStatus
