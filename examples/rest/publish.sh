#!/bin/sh
# Publishes one message over HTTP and reads the newest ones back. Needs curl 7.76 or newer.
#
#   HOLDFAST_URL=http://127.0.0.1:8080 HOLDFAST_TOKEN=... sh publish.sh 'hello from curl' [KEY]
#
# A message has a key of its own. With it the request may be sent again after any failure, by curl itself or by calling this
# with the same key: the message is stored once, and a repetition is answered with "duplicate": true.
set -eu
url=${HOLDFAST_URL:-http://127.0.0.1:8080}/v1/topics/chat%2F42/entries
text=$1 # goes into the JSON as it is: no quotes or backslashes
key=${2:-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')}

# The token comes on standard input, so that no list of processes shows it.
ask() {
  printf 'header = "Authorization: Bearer %s"\n' "$HOLDFAST_TOKEN" |
    curl --config - --silent --show-error --fail-with-body --retry 5 --retry-connrefused --max-time 30 "$@"
  echo
}

ask --header 'Content-Type: application/json' --header "Idempotency-Key: \"$key\"" --data "{\"text\":\"$text\"}" "$url"
ask "$url?limit=10"
