# Runs as the first process of a Debian, in place of an installer, with its root
# file system already there: it makes an account for the build, as a kickstart's
# "user", "sshkey" and "network" would.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

echo "Installing the account packer"
useradd --create-home --shell /bin/bash packer
install -d -o packer -g packer -m 700 /home/packer/.ssh
install -o packer -g packer -m 600 /mnt/authorized_keys /home/packer/.ssh/
echo 'packer ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/packer
printf '%s\n' '%operators ALL=(ALL) ALL' 'packer ALL=(operator) ALL' >/etc/sudoers.d/others
chmod 440 /etc/sudoers.d/packer /etc/sudoers.d/others

# What the kickstart of Enterprise Linux does about cloud-init: without it, there are
# neither a network nor host keys.
sed -n '/^touch .*cloud-init.disabled$/,/^ln -s /p' /mnt/ks.cfg >/tmp/boot.sh
grep -q '^ln -s ' /tmp/boot.sh
sh -e /tmp/boot.sh
cat >/etc/netplan/50-build.yaml <<'END'
network:
  version: 2
  ethernets:
    all: {match: {name: "e*"}, dhcp4: true}
END
chmod 600 /etc/netplan/50-build.yaml
ssh-keygen -A

mount -o remount,ro /
poweroff -ff
