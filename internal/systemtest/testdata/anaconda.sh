#!/stand-in/busybox sh
# In place of anaconda: finds the installer's own medium and the kickstart by the
# labels that the kernel's command line has, and puts a disk that was made before
# where anaconda would install.
. /stand-in/common.sh
load virtio_pci virtio_blk ata_piix ahci sr_mod isofs

stage2=$(argument inst.stage2)
label=$(printf '%b' "${stage2#hd:LABEL=}") # as udev writes it in names of devices
mounted "$label" /medium iso9660
[ -e /medium/.treeinfo ] || fail "no installer on $label"
echo "anaconda: stage 2 is on $label"

case $(argument inst.ks) in
  hd:LABEL=OEMDRV:/ks.cfg) mounted OEMDRV /answers iso9660 ;;
  *) fail "no kickstart" ;;
esac
grep -q '^passwd --lock root$' /answers/ks.cfg && grep -q '^poweroff$' /answers/ks.cfg || fail "not the kickstart"
echo "anaconda: kickstart has a root that is locked"

install /dev/vda anaconda
poweroff -f
