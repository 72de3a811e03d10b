#!/usr/bin/env bash
# Tells what is in the image that the demo made, and fails if it is not what
# the template's provisioner did. It reads the image with GNU tar, as curtin
# does, and with nothing of the plugin.
#
#   scripts/demo-report.sh IMAGE.tar.gz
set -euo pipefail
export LC_ALL=C.UTF-8 TZ=UTC

image=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
listing=$work/listing

# check says what was looked for, and ends the report if it is not so.
check() {
  local what=$1
  shift
  if "$@" >/dev/null; then
    echo "  ok    $what"
  else
    echo "  WRONG $what"
    exit 1
  fi
}

# listed looks for a line of the listing. The first pattern may be a member's
# line; the second, if there is one, must be on one of the lines that follow it
# and describe its attributes.
listed() {
  awk -v member="$1" -v attribute="${2:-}" '
    /^ / { if (here && attribute != "" && $0 ~ attribute) found = 1; next }
    { here = $0 ~ member; if (here && attribute == "") found = 1 }
    END { exit !found }' "$listing"
}

absent() {
  ! listed "$@"
}

# content looks for the pattern $2 in the extracted file $1.
content() {
  grep -q -E -e "$2" "$work/root/$1"
}

absent_in() {
  ! content "$@"
}

# All of the image is read once: the listing goes to one file, and what is
# looked at closer is extracted, as far as an ordinary user can.
mkdir "$work/root"
tar --xattrs --xattrs-include='*' --acls --numeric-owner -tvvzf "$image" >"$listing"
tar -xzSf "$image" -C "$work/root" --no-same-owner ./etc/motd ./etc/os-release ./usr/lib/os-release \
  ./etc/passwd ./etc/shadow ./etc/fstab ./etc/machine-id ./opt/demo ./var/lib/dpkg/status
chmod -R u+rwX "$work/root"

members() {
  grep -c -E "$1" "$listing" || true
}
# shellcheck disable=SC1091 # the image's
system=$(. "$work/root/etc/os-release" && echo "$PRETTY_NAME")
size=$(stat -c %s "$image")
cat <<EOF
  system      $system
  kernel      $(sed -n 's|^-.* \./boot/vmlinuz-\(.*\)$|\1|p' "$listing" | paste -s -d ' ')
  packages    $(grep -c '^Status: install ok installed' "$work/root/var/lib/dpkg/status")
  entries     $(members '^[-dlhcbp]'): $(members '^-') files, $(members '^d') folders, $(members '^l') symbolic links, $(members '^h') hard links
  attributes  $(members 'security\.capability') capabilities, $(members 'system\.posix_acl_access') ACLs
  size        $size bytes
EOF

check "the checksum beside it" sh -c "cd '$(dirname "$image")' && sha256sum -c '$(basename "$image").sha256'"
check "the message the provisioner wrote" content etc/motd 'built with Packer for MAAS'
check "a capability it set" listed ' \./opt/demo/listen$' 'security\.capability'
check "an ACL it set" listed ' \./opt/demo/settings(\.link)?$' 'system\.posix_acl_access'
check "two names of one file" [ "$work/root/opt/demo/settings" -ef "$work/root/opt/demo/settings.link" ]
check "a name like a backup's" content 'opt/demo/template.conf~' '^kept$'
check "a gigabyte of hole, stored as one" [ "$(stat -c '%s' "$work/root/opt/demo/sparse") $(($(stat -c '%b' "$work/root/opt/demo/sparse") < 100))" = "1073741828 1" ]
check "the capability of Debian's ping" listed ' \./usr/bin/ping$' 'security\.capability'
check "sudo, setuid and root's" listed '^-rwsr-xr-x.? 0/0 .* \./usr/bin/sudo$'
check "the EFI system partition's files" listed ' \./boot/efi/EFI/debian/shimx64\.efi$'
check "the curtin hook, executable" listed '^-rwxr-xr-x.? 0/0 .* \./curtin/curtin-hooks$'
check "no account of the build" absent_in etc/passwd '^packer:'
check "no machine-id" [ ! -s "$work/root/etc/machine-id" ]
check "no ssh host key" absent ' \./etc/ssh/ssh_host_'
check "no state of cloud-init" absent ' \./var/lib/cloud/instances?/.'
