#!/stand-in/busybox sh
# The first process, in place of anaconda: it finds the installer's own medium and
# the kickstart by the labels that the kernel's command line has, and puts a disk
# that was made before where anaconda would install.
/stand-in/busybox --install -s /stand-in
export PATH=/stand-in
mkdir -p /proc /sys /dev /stage2 /oemdrv
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec </dev/console >/dev/console 2>&1

fail() {
  echo "dracut: FATAL: $*"
  poweroff -f
}

# argument prints the value of one of the kernel's.
argument() {
  for word in $(cat /proc/cmdline); do
    case $word in "$1="*) echo "${word#*=}" ;; esac
  done
}

# mounted mounts the volume with a label, as udev writes it in names of devices.
mounted() {
  label=$(printf '%b' "$1")
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    device=$(findfs "LABEL=$label") && mount -t iso9660 -o ro "$device" "$2" && return
    sleep 1
  done
  fail "no volume is called $label"
}

for module in virtio_pci virtio_blk ata_piix ahci sr_mod isofs; do
  PATH=/usr/sbin:/sbin modprobe "$module" || fail "no module $module"
done

stage2=$(argument inst.stage2)
mounted "${stage2#hd:LABEL=}" /stage2
[ -e /stage2/.treeinfo ] || fail "no installer on $label"
echo "anaconda: stage 2 is on $label"

case $(argument inst.ks) in
  hd:LABEL=OEMDRV:/ks.cfg) mounted OEMDRV /oemdrv ;;
  *) fail "no kickstart" ;;
esac
grep -q '^passwd --lock root$' /oemdrv/ks.cfg && grep -q '^poweroff$' /oemdrv/ks.cfg || fail "not the kickstart"
echo "anaconda: kickstart has a root that is locked"

zcat /stage2/images/disk.gz | dd of=/dev/vda bs=1M || fail "no disk"
sync
echo "anaconda: installed"
poweroff -f
