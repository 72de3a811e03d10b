# What the scripts that stand in for installers share; they are the first process.
/stand-in/busybox --install -s /stand-in
export PATH=/stand-in
mkdir -p /proc /sys /dev /medium /answers
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec </dev/console >/dev/console 2>&1

fail() {
  echo "dracut: FATAL: $*"
  poweroff -f
}

# load loads drivers with what they need.
load() {
  for module; do
    PATH=/usr/sbin:/sbin modprobe "$module" || fail "no module $module"
  done
}

# argument prints the value of one of the kernel's.
argument() {
  for word in $(cat /proc/cmdline); do
    case $word in "$1="*) echo "${word#*=}" ;; esac
  done
}

# mounted mounts the volume with a label, which may take a moment to appear.
mounted() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    device=$(findfs "LABEL=$1") && mount -t "$3" -o ro "$device" "$2" && return
    sleep 1
  done
  fail "no volume is called $1"
}

# install writes the disk that is in pieces on the installer's medium.
install() {
  while read -r from to count; do
    dd if=/medium/disk/data of="$1" bs=4096 skip="$from" seek="$to" count="$count" conv=notrunc 2>/dev/null || fail "no disk"
  done </medium/disk/pieces
  sync
  echo "$2: installed"
}
