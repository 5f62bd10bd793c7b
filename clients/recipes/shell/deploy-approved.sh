#!/bin/sh
# Waits for the approval and runs deploy.sh: STELLA_TOKEN is that of the pipeline.
set -eu
. ./build.env
. ./promotion.env
exec stella deploy "$PROMOTION" --manifest-digest "$MANIFEST" --timeout 5h -- ./deploy.sh "$IMAGE@$DIGEST"
