#!/bin/sh
# Builds the image and creates the release RELEASE of it: STELLA_TOKEN is that of the pipeline.
set -eu
docker buildx build --push --provenance=false --tag "$IMAGE:$RELEASE" --metadata-file build.json .
DIGEST=$(jq -er '."containerimage.digest"' build.json)
stella release create "$RELEASE" --product "$PRODUCT" --component "app=$IMAGE@$DIGEST" \
  --source-from-git --finalize --json >release.json
MANIFEST=$(jq -er .release.manifestDigest release.json)
printf 'DIGEST=%s\nMANIFEST=%s\n' "$DIGEST" "$MANIFEST" >build.env
