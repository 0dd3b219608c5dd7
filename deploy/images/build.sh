#!/usr/bin/env bash
# Builds images and pushes them into an Artifact Registry folder:
#   deploy/images/build.sh [--dry-run] [--push] REGION-docker.pkg.dev/PROJECT/FOLDER [image ...]
# Images: api, worker (these two by default), worker-with-weights. Log in first: gcloud auth configure-docker HOST.
# Environment: VERSION (default: git describe), and for worker-with-weights WEIGHTS=download with MODEL, MODEL_REVISION
# and, for a model behind a licence, HF_TOKEN_FILE; or WEIGHTS=folder, which takes ./weights.
# --dry-run prints the commands; --push ends with each image and its digest. Nothing is pushed from changed files, or
# on a base that has no digest in bases.lock.
set -euo pipefail
cd "$(dirname "$0")/../.."
fail() { echo "build.sh: $*" >&2; exit 1; }

dry= push=
while [[ ${1-} == --* ]]; do
  case $1 in
    --dry-run) dry=1 ;;
    --push) push=1 ;;
    *) fail "there is no option $1" ;;
  esac
  shift
done
registry=${1-}; shift || true
[[ $registry =~ ^[a-z0-9-]+-docker\.pkg\.dev(/[a-z0-9][a-z0-9._-]*){2,}$ ]] ||
  fail "name a folder of Artifact Registry: REGION-docker.pkg.dev/PROJECT/FOLDER"
[[ $# -gt 0 ]] || set -- api worker

version=${VERSION:-$(git describe --tags --always --dirty)}
revision=$(git rev-parse HEAD)
[[ $version =~ ^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$ ]] || fail "VERSION is no image tag: $version"
[[ -z $push || -n $dry || -z $(git status --porcelain) ]] || fail "commit your changes first: an image names its commit"

# The line of bases.lock for the base that a Dockerfile names, without its digest.
pinned() {
  local name base
  name=$(sed -n 's/^ARG BASE=\([^@]*\).*/\1/p' "$1")
  base=$(grep -E "^$name(@|$)" deploy/images/bases.lock) || fail "$name is not in bases.lock"
  [[ $base == *@sha256:* || -z $push ]] || fail "$base has no digest yet: run deploy/images/pin.sh, commit what it wrote"
  echo "$base"
}

# The command that builds one image, in the array `command`.
compose_command() {
  local image=$1 file target=() name=til-queue-$1 tag=$version
  case $image in
    api) file=deploy/images/api.Dockerfile ;;
    worker) file=deploy/images/worker.Dockerfile target=(--target worker) ;;
    worker-with-weights)
      file=deploy/images/worker.Dockerfile target=(--target "$image") name=til-queue-worker tag=$version-weights
      weights_arguments
      target+=("${weights[@]}") ;;
    *) fail "there is no image $image" ;;
  esac
  base=$(pinned "$file") || exit 1
  reference=$registry/$name:$tag
  command=(docker buildx build --platform linux/amd64 --file "$file" "${target[@]}" --build-arg "BASE=$base"
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --tag "$reference")
  [[ -z $push ]] || command+=(--push)
  command+=(.)
}

# Where the weights come from, in the array `weights`.
weights_arguments() {
  case ${WEIGHTS:-download} in
    folder)
      [[ -d weights ]] || fail "WEIGHTS=folder takes the folder weights beside README.md"
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
