#!/bin/sh
# Requests the promotion: STELLA_TOKEN is that of the pipeline.
set -eu
stella promote "$RELEASE" --product "$PRODUCT" --to "$TARGET" --reason "$REASON" --json >promotion.json
PROMOTION=$(jq -er .promotion.id promotion.json)
echo "PROMOTION=$PROMOTION" >promotion.env
stella why "$PROMOTION"
