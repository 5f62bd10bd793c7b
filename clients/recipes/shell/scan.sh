#!/bin/sh
# Scans the image and uploads the signed report: STELLA_TOKEN is that of the scanner, SCAN_KEY its private key.
set -eu
. ./build.env
trivy image --format cyclonedx --output sbom.json "$IMAGE@$DIGEST"
trivy image --format json --output scan.json "$IMAGE@$DIGEST"
./sign-scan scan.json "$DIGEST" >scan.dsse.json
stella evidence upload scan.dsse.json sbom.json --artifact "$DIGEST" --wait --json >upload.json
jq -r '.documents[] | "\(.file): by \(.uploadedBy | map(.username) | join(", ")). \(.signature.message)"' upload.json
jq -e '.documents[0].signature.found == "trusted"' upload.json >signed.txt || {
  echo "No trusted key signed the scan: trust the public key under Settings, Evidence."
  exit 1
}
