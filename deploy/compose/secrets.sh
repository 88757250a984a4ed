#!/bin/sh
# Makes the secrets of compose.yaml in ./secrets, each once: what is there stays. As root, so that each can be given to the
# user who reads it; else everybody on this machine who can enter the folder could.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets

# random: 32 bytes, as hex digits.
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

for name in redis.password admin.token grafana.password; do
  [ -e "secrets/$name" ] || random > "secrets/$name"
done

# Redis itself has the hash of the password alone. The gateways need no command that looks at other data or changes Redis.
if [ ! -e secrets/redis.acl ]; then
  hash=$(sha256sum < secrets/redis.password | cut -d ' ' -f 1)
  {
    echo "user default on nopass resetkeys resetchannels -@all +ping"
    echo "user signalbox on #$hash ~{signalbox}:* &{signalbox}:* -@all +@read +@write +@scripting +@connection +@pubsub +@stream +info +time +cluster|slots -@dangerous"
  } > secrets/redis.acl
fi

# The containers read them by the group 10001.
if [ "$(id -u)" = 0 ]; then
  chown root:10001 secrets secrets/*
  chmod 0750 secrets
  chmod 0440 secrets/*
else
  chmod 0755 secrets
  chmod 0444 secrets/*
  echo "not root: the secrets can be read by every user of this machine; run it again with sudo" >&2
fi
