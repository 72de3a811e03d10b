# Says what the system sees of its machine.
cloud-init status --wait >/dev/null
echo "fact: machine $(uname -m)"
echo "fact: cloud $(cloud-id)"
echo "fact: seed $(cat /etc/from-seed)"
if [ -d /sys/firmware/efi ]; then
  echo "fact: firmware uefi"
  echo "fact: secure boot $(od -An -tu1 -j4 -N1 /sys/firmware/efi/efivars/SecureBoot-* | tr -d ' ')"
else
  echo "fact: firmware bios"
fi
echo "fact: lockdown $(grep -o '\[.*\]' /sys/kernel/security/lockdown)"
echo "fact: tpm $(cat /sys/class/tpm/tpm0/tpm_version_major)"
