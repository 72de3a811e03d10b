#!/bin/sh
# Builds a static libnbd into a folder, for binaries that need nothing but
# libc on the machine they run on.
#
#   usage: scripts/libnbd.sh DESTDIR
#
# It takes the source package of the Debian or Ubuntu it runs on and builds it
# without TLS and URIs, neither of which a local socket needs. It needs no root
# and leaves apt's configuration and state alone. What it needs installed:
#
#   apt-get install build-essential pkg-config dpkg-dev
#
# DESTDIR gets lib/libnbd.a, lib/pkgconfig/libnbd.pc, include/libnbd.h and the
# source package itself in src/, which who passes binaries on has to offer too
# (LGPL). The Go binding asks for "-lnbd" without pkg-config; the last lines on
# standard output are the environment to build with:
#
#   eval "$(scripts/libnbd.sh DESTDIR)"
#   go build                                                    # needs libc
#   go build -ldflags '-linkmode external -extldflags -static'  # needs nothing
#
# which is CGO_ENABLED=1, CGO_CFLAGS=-IDESTDIR/include and
# CGO_LDFLAGS=-LDESTDIR/lib.
set -eu

die() {
	echo "libnbd.sh: $*" >&2
	exit 1
}

# Copies the machine's apt sources into folder $1, as source packages only:
# files of one-line entries and files of paragraphs.
copy_sources() {
	for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$list" ] || continue
		sed -n -E 's/^[[:space:]]*deb(-src)?[[:space:]]+/deb-src /p' "$list" |
			sort -u >"$1/$(basename "$list" .list).list"
	done
	for list in /etc/apt/sources.list.d/*.sources; do
		[ -f "$list" ] || continue
		sed -E 's/^[Tt]ypes:.*/Types: deb-src/' "$list" >"$1/$(basename "$list")"
	done
}

# Runs apt-get with all that it writes below folder $1.
private_apt() {
	state=$1
	shift
	apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$state/sources" \
		-o Dir::State="$state/state" -o Dir::State::status=/var/lib/dpkg/status \
		-o Dir::Cache="$state/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}

# Downloads the source package into folder $1/src, checked by apt's keys.
fetch() {
	[ -z "$(find "$1/src" -name 'libnbd_*.dsc' 2>/dev/null)" ] || return 0
	command -v apt-get >/dev/null || die "apt-get is not here: this script needs Debian or Ubuntu"
	mkdir -p "$work/sources" "$work/state/lists/partial" "$work/cache/archives/partial" "$work/src"
	copy_sources "$work/sources"
	private_apt "$work" update >&2 || echo "libnbd.sh: some package source could not be read, going on" >&2
	(cd "$work/src" && private_apt "$work" source --download-only libnbd >&2) ||
		die "the source package libnbd is not to be had from this machine's apt sources (is Ubuntu's universe among them?)"
	mkdir -p "$1"
	mv "$work/src" "$1/src"
}

# Builds and installs the library from $1/src into $1. The distribution's
# patches may touch configure's sources; what the tarball has was made from them.
build() {
	dpkg-source --extract "$1"/src/libnbd_*.dsc "$work/libnbd" >&2
	cd "$work/libnbd"
	./configure --quiet --prefix="$1" --disable-shared --enable-static --with-pic \
		--without-gnutls --without-libxml2 --disable-python --disable-ocaml \
		--disable-golang --disable-fuse --disable-ublk --without-bash-completions \
		CFLAGS="-O2 -ffile-prefix-map=$work=." >&2
	set -- AUTOCONF=: AUTOMAKE=: ACLOCAL=: AUTOHEADER=: --quiet
	make -C common/include "$@" >&2
	make -C common/utils "$@" >&2
	make -C include install "$@" >&2
	make -C lib install "$@" >&2
}

[ $# -eq 1 ] || die "usage: scripts/libnbd.sh DESTDIR"
mkdir -p "$1"
dest=$(cd "$1" && pwd)
case $dest in
*[!A-Za-z0-9/._+-]*) die "the path $dest has characters that compiler flags cannot hold" ;;
esac

if [ ! -f "$dest/lib/libnbd.a" ] || [ ! -f "$dest/include/libnbd.h" ]; then
	for tool in gcc make pkg-config dpkg-source; do
		command -v $tool >/dev/null || die "$tool is not installed: apt-get install build-essential pkg-config dpkg-dev"
	done
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' HUP INT TERM
	fetch "$dest"
	(build "$dest")
	rm -f "$dest/lib/libnbd.la"
fi
echo "export CGO_ENABLED=1"
echo "export CGO_CFLAGS='-O2 -g -I$dest/include'"
echo "export CGO_LDFLAGS='-O2 -g -L$dest/lib'"
