#!/usr/bin/env bash
# Builds images and pushes them to an Artifact Registry repository:
#   deploy/images/build.sh [--dry-run] [--push] REGION-docker.pkg.dev/PROJECT/REPOSITORY [image ...]
# Images: api, worker (these two by default), worker-with-weights. Log in first: gcloud auth configure-docker HOST.
# Environment: VERSION (default: git describe), and for worker-with-weights WEIGHTS=download with MODEL, MODEL_REVISION
# and, for a gated model, HF_TOKEN_FILE; or WEIGHTS=folder, which copies ./weights.
# --dry-run prints the commands; --push prints each image with its digest. It does not push from uncommitted changes, or
# on a base without a digest in bases.lock.
set -euo pipefail
cd "$(dirname "$0")/../.."
fail() { echo "build.sh: $*" >&2; exit 1; }

dry= push=
while [[ ${1-} == --* ]]; do
  case $1 in
    --dry-run) dry=1 ;;
    --push) push=1 ;;
    *) fail "unknown option $1" ;;
  esac
  shift
done
registry=${1-}; shift || true
[[ $registry =~ ^[a-z0-9-]+-docker\.pkg\.dev(/[a-z0-9][a-z0-9._-]*){2,}$ ]] ||
  fail "name an Artifact Registry repository: REGION-docker.pkg.dev/PROJECT/REPOSITORY"
[[ $# -gt 0 ]] || set -- api worker

version=${VERSION:-$(git describe --tags --always --dirty)}
revision=$(git rev-parse HEAD)
[[ $version =~ ^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$ ]] || fail "VERSION is not an image tag: $version"
[[ -z $push || -n $dry || -z $(git status --porcelain) ]] || fail "commit your changes first: the image is labelled with its commit"

# Prints the line of bases.lock for the base image of a Dockerfile.
pinned() {
  local name base
  name=$(sed -n 's/^ARG BASE=\([^@]*\).*/\1/p' "$1")
  base=$(grep -E "^$name(@|$)" deploy/images/bases.lock) || fail "$name is not in bases.lock"
  [[ $base == *@sha256:* || -z $push ]] || fail "$base has no digest yet: run deploy/images/pin.sh and commit its changes"
  echo "$base"
}

# Sets the array `command` to the command that builds one image.
compose_command() {
  local image=$1 file target=() name=til-queue-$1 tag=$version
  case $image in
    api) file=deploy/images/api.Dockerfile ;;
    worker) file=deploy/images/worker.Dockerfile target=(--target worker) ;;
    worker-with-weights)
      file=deploy/images/worker.Dockerfile target=(--target "$image") name=til-queue-worker tag=$version-weights
      weights_arguments
      target+=("${weights[@]}") ;;
    *) fail "unknown image $image" ;;
  esac
  base=$(pinned "$file") || exit 1
  reference=$registry/$name:$tag
  command=(docker buildx build --platform linux/amd64 --file "$file" "${target[@]}" --build-arg "BASE=$base"
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --tag "$reference")
  [[ -z $push ]] || command+=(--push)
  command+=(.)
}

# Sets the array `weights` to the build arguments for the weights.
weights_arguments() {
  case ${WEIGHTS:-download} in
    folder)
      [[ -d weights ]] || fail "WEIGHTS=folder needs the folder weights in the repository root"
      weights=(--build-arg WEIGHTS=folder) ;;
    download)
      [[ ${MODEL-} && ${MODEL_REVISION-} =~ ^[0-9a-f]{40}$ ]] ||
        fail "worker-with-weights needs MODEL (org/name) and MODEL_REVISION (a commit, 40 hex digits)"
      weights=(--build-arg "MODEL=$MODEL" --build-arg "MODEL_REVISION=$MODEL_REVISION")
      [[ -z ${HF_TOKEN_FILE-} ]] || weights+=(--secret "id=hf_token,src=$HF_TOKEN_FILE") ;;
    *) fail "WEIGHTS is download or folder" ;;
  esac
}

for image in "$@"; do
  compose_command "$image"
  if [[ $dry ]]; then
    printf '%q ' "${command[@]}" && echo
    continue
  fi
  "${command[@]}"
  [[ -z $push ]] || echo "$reference@$(docker buildx imagetools inspect "$reference" --format '{{.Manifest.Digest}}')"
done
