#!/stand-in/busybox sh
# In place of ESXi's installer: reads the answers from a USB volume, as the options
# say that were typed into the boot loader, and puts a disk that was made before
# onto the first disk.
. /stand-in/common.sh
load ahci sr_mod isofs sd_mod xhci_pci usb_storage
for module in fat vfat nls_cp437 nls_ascii; do
  insmod "/stand-in/$module.ko" || fail "no module $module"
done

[ "$(argument ks)" = usb:/KS.CFG ] || fail "no ks= among $(cat /proc/cmdline)"
[ "$(argument com1_Port)" = 0x3f8 ] || fail "not all was typed"
mounted KS /answers vfat
grep -q '^vmaccepteula$' /answers/KS.CFG && grep -q '^%firstboot --interpreter=busybox$' /answers/KS.CFG || fail "no answers"
echo "esxi: the licence is accepted"

mounted ESXI /medium iso9660
for disk in /sys/block/sd*; do
  [ "$(cat "$disk/removable")" = 1 ] || { install "/dev/${disk##*/}" esxi && poweroff -f; }
done
fail "no disk"
